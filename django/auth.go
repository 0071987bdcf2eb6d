package django

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// The items in which a session keeps who is logged in (django/contrib/auth/__init__.py).
const (
	AuthUserIDKey      = "_auth_user_id"      // the primary key of the user, as text
	AuthUserBackendKey = "_auth_user_backend" // the dotted path of the backend that found the user
	AuthUserHashKey    = "_auth_user_hash"    // SessionAuthHash of the user's password
)

// ModelBackend is the authentication backend that a Django has when nobody chooses another.
const ModelBackend = "django.contrib.auth.backends.ModelBackend"

const authHashSalt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"

// SessionAuthHash is AbstractBaseUser.get_session_auth_hash() under a SECRET_KEY: a keyed hash of the
// encoded password, as the database holds it, in lower-case hex. A session in which it differs was
// opened before the password was changed.
func SessionAuthHash(key, encodedPassword string) string {
	derived := sha256.Sum256([]byte(authHashSalt + key))
	mac := hmac.New(sha256.New, derived[:])
	mac.Write([]byte(encodedPassword))
	return hex.EncodeToString(mac.Sum(nil))
}
