package oracle

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/session"
)

// maxIterations is how costly a password may be.
const maxIterations = 20_000

// verbs are the op_ functions of oracle.py that Lockstep has. What is asked of a Guard alone is
// answered by one that serves a request.
var verbs = map[string]func(*world, object) (any, error){
	"signer_sign":      func(w *world, a object) (any, error) { return signing(w, a, django.SignerSalt, (*signer).sign) },
	"signer_unsign":    func(w *world, a object) (any, error) { return signing(w, a, django.SignerSalt, (*signer).unsign) },
	"signer_signature": func(w *world, a object) (any, error) { return signing(w, a, django.SignerSalt, (*signer).signature) },
	"ts_sign": func(w *world, a object) (any, error) {
		return signing(w, a, django.TimestampSignerSalt, (*signer).signAt)
	},
	"ts_unsign": func(w *world, a object) (any, error) {
		return signing(w, a, django.TimestampSignerSalt, (*signer).unsignAt)
	},
	"sign_object":   objectVerb((*signer).dumps),
	"unsign_object": objectVerb((*signer).loads),
	"dumps":         func(w *world, a object) (any, error) { return signing(w, a, django.DumpsSalt, (*signer).dumps) },
	"loads":         func(w *world, a object) (any, error) { return signing(w, a, django.DumpsSalt, (*signer).loads) },
	"json_bytes":    func(_ *world, a object) (any, error) { return jsonText(a.raw("obj")) },

	"cookie_sign":   (*world).cookieSign,
	"cookie_unsign": (*world).cookieUnsign,

	"session_encode":             (*world).sessionEncode,
	"session_decode":             (*world).sessionDecode,
	"session_key_valid":          (*world).sessionKeyValid,
	"signed_cookie_session":      (*world).signedCookieSession,
	"signed_cookie_session_load": (*world).signedCookieSessionLoad,
	"session_auth_hash": func(w *world, a object) (any, error) {
		return django.SessionAuthHash(w.settings.SecretKey, a.text("password")), nil
	},

	"make_password": func(_ *world, a object) (any, error) {
		n, ok := a.number("iterations")
		if !ok || n > maxIterations {
			return nil, unsupported("more than %d iterations, which take too long for a line", maxIterations)
		}
		return django.MakePassword(a.text("password"), a.text("salt"), int(n))
	},
	"check_password": func(_ *world, a object) (any, error) {
		if django.PasswordCost(a.text("encoded")) > maxIterations {
			return nil, unsupported("more than %d iterations, which take too long for a line", maxIterations)
		}
		return django.CheckPassword(a.text("password"), a.text("encoded"))
	},
	"password_iterations": func(w *world, _ object) (any, error) {
		return objectFrom("series", w.answerer.series(), "iterations", django.PasswordIterations(w.answerer.series())), nil
	},

	"csrf_mask": func(w *world, a object) (any, error) {
		return orValueError(django.MaskCSRFSecret(a.text("secret"), w.random.choose(django.CSRFSecretLength, django.CSRFAlphabet)))
	},
	"csrf_mask_with": func(_ *world, a object) (any, error) {
		return orValueError(django.MaskCSRFSecret(a.text("secret"), a.text("mask")))
	},
	"csrf_unmask": func(_ *world, a object) (any, error) {
		secret, _ := django.CSRFSecret(a.text("token"))
		return orValueError(secret)
	},
	"csrf_check_format": (*world).csrfFormat,
	"csrf_match": func(_ *world, a object) (any, error) {
		return django.CSRFTokensMatch(a.text("token"), a.text("secret")), nil
	},

	"b62":         b62,
	"salted_hmac": (*world).saltedHMAC,
	"random_string": func(w *world, a object) (any, error) {
		n, ok := a.number("length")
		if !ok || n != drawnLength || a.text("chars") != sessionAlphabet {
			return nil, unsupported("random strings other than session keys")
		}
		return w.sessionKey()
	},

	"http_date": func(_ *world, a object) (any, error) {
		t, _ := a.number("t")
		return django.HTTPDate(moment(t)), nil
	},
	"parse_cookie": func(_ *world, a object) (any, error) {
		var o django.Object
		for _, pair := range django.ParseCookies(a.text("value")) {
			o.Set(pair.Name, mustMarshal(pair.Value))
		}
		return o, nil
	},
	"quote_cookie": func(_ *world, a object) (any, error) {
		if err := django.CheckCookieName(a.text("key")); err != nil {
			return nil, &djangoError{"CookieError", err.Error()}
		}
		return (&django.SetCookie{Name: a.text("key"), Value: a.text("value")}).String(), nil
	},
	"unquote_cookie": func(_ *world, a object) (any, error) { return django.UnquoteCookie(a.text("value")), nil },

	"validate_host": func(w *world, a object) (any, error) { return w.allows(a.text("value"), a.texts("allowed")) },
	"is_same_domain": func(w *world, a object) (any, error) {
		return w.allows(a.text("host"), []string{a.text("pattern")})
	},
	"escape_uri_path": func(_ *world, a object) (any, error) { return django.EscapePath(a.text("value")), nil },
	"iri_to_uri":      func(_ *world, a object) (any, error) { return django.IRIToURI(a.text("value")), nil },
	"vary":            (*world).vary,
	"csp":             (*world).csp,
	"default":         (*world).defaults,
	"check":           (*world).checks,
}

// notVerbs are those that Lockstep does not have, with the reason.
var notVerbs = map[string]string{
	"safe_url":          "whether a URL is safe to redirect to is for the application to say",
	"split_domain_port": "a Guard says whether it is responsible for a host, not how it reads it; ask validate_host",
	"csrf_constants":    "the reasons come with the verdicts; ask with requests",
}

func (w *world) verb(line object) (json.RawMessage, error) {
	name := line.text("op")
	if reason, known := notVerbs[name]; known {
		return nil, unsupported("%s: %s", name, reason)
	}
	run, ok := verbs[name]
	if !ok {
		return nil, unsupported("there is no verb %q", name)
	}
	result, err := run(w, line)
	if err != nil {
		return nil, err
	}
	return django.Marshal(result)
}

func orValueError(text string) (any, error) {
	if text == "" {
		return nil, valueError("no secret or token of its alphabet and length")
	}
	return text, nil
}

// A signer is a django.Signer with what a line asks of it.
type signer struct {
	*django.Signer
	w *world
	a object
}

// signing makes the signer that a line describes and asks it.
func signing(w *world, a object, salt string, ask func(*signer) (any, error)) (any, error) {
	keys := w.keys()
	if a.given("key") {
		keys[0] = a.text("key")
	}
	if a.given("fallback_keys") {
		keys = append(keys[:1], a.texts("fallback_keys")...)
	}
	if slices.Contains(keys, "") {
		return nil, valueError("an empty key signs for everybody")
	}
	if a.text("salt") != "" {
		salt = a.text("salt")
	}
	switch {
	case a.given("sep") && a.text("sep") != ":":
		return nil, unsupported("the separator %q", a.text("sep"))
	case a.given("algorithm") && a.text("algorithm") != "sha256":
		return nil, unsupported("the algorithm %q", a.text("algorithm"))
	}
	return ask(&signer{django.NewSigner(salt, keys...), w, a})
}

// objectVerb is a verb of a TimestampSigner; a Signer signs no objects in Lockstep.
func objectVerb(ask func(*signer) (any, error)) func(*world, object) (any, error) {
	return func(w *world, a object) (any, error) {
		if !a.flag("ts") {
			return nil, unsupported("objects signed without their time")
		}
		return signing(w, a, django.TimestampSignerSalt, ask)
	}
}

func (s *signer) sign() (any, error)   { return s.Sign(s.a.text("value")), nil }
func (s *signer) signAt() (any, error) { return s.SignAt(s.a.text("value"), s.w.now()), nil }
func (s *signer) unsign() (any, error) { return s.Unsign(s.a.text("value")) }

func (s *signer) signature() (any, error) {
	signed := s.Sign(s.a.text("value"))
	return signed[strings.LastIndexByte(signed, ':')+1:], nil
}

// maxAge is negative when the line has none: any age is good then.
func (s *signer) maxAge() time.Duration {
	if age, ok := seconds(s.a.raw("max_age")); ok {
		return max(duration(age), 0)
	}
	return -1
}

func (s *signer) unsignAt() (any, error) {
	value, _, err := s.UnsignAt(s.a.text("value"), s.maxAge(), s.w.now())
	return value, err
}

func (s *signer) dumps() (any, error) {
	raw, err := python(s.a.raw("obj"))
	if err != nil {
		return nil, err
	}
	return s.Dumps(raw, s.a.flag("compress"), s.w.now()), nil
}

func (s *signer) loads() (any, error) {
	raw, err := s.Loads(s.a.text("value"), s.maxAge(), s.w.now())
	if err != nil {
		return nil, err
	}
	return python(raw)
}

func jsonText(raw json.RawMessage) (any, error) {
	text, err := python(raw)
	return string(text), err
}

// through has a handler serve a request behind the Guard of the line.
func (w *world) through(cookie string, h http.HandlerFunc) (*response, error) {
	g, err := w.guard(false)
	if err != nil {
		return nil, err
	}
	var question object
	question.Set("url", json.RawMessage(`"https://example.com/"`))
	if cookie != "" {
		question.Set("cookie_header", mustMarshal(cookie))
	}
	r, err := w.incoming(question)
	if err != nil {
		return nil, err
	}
	out := &response{header: http.Header{}}
	g.Wrap(h).ServeHTTP(out, r)
	return out, nil
}

func (w *world) cookieSign(a object) (any, error) {
	var failed error
	out, err := w.through("", func(out http.ResponseWriter, r *http.Request) {
		failed = lockstep.SetSignedCookie(out, r, lockstep.Cookie{Name: a.text("name"), Value: a.text("value")}, a.text("salt"))
		out.WriteHeader(http.StatusOK)
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	for _, c := range out.cookies() {
		return django.UnquoteCookie(c.coded), nil
	}
	return nil, valueError("no cookie was set")
}

func (w *world) cookieUnsign(a object) (any, error) {
	var value string
	var failed error
	_, err := w.through(a.text("name")+"="+django.QuoteCookie(a.text("value")), func(_ http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r}
		var kw object
		kw.Set("key", orNull(a.raw("name")))
		kw.Set("salt", orNull(a.raw("salt")))
		kw.Set("max_age", orNull(a.raw("max_age")))
		value, failed = c.signedCookie(kw)
	})
	return value, errors.Join(err, failed)
}

// fillSession serves a request that sets each member of data in a session.
func (w *world) fillSession(data object) (*response, error) {
	var failed error
	out, err := w.through("", func(out http.ResponseWriter, r *http.Request) {
		for _, name := range data.Keys() {
			value, err := python(data.raw(name))
			if err == nil {
				err = session.From(r.Context()).Set(name, value)
			}
			failed = errors.Join(failed, err)
		}
		out.WriteHeader(http.StatusOK)
	})
	return out, errors.Join(err, failed)
}

func (w *world) sessionEncode(a object) (any, error) {
	if err := w.useEngine(a); err != nil {
		return nil, err
	}
	if data := a.object("data"); data.Len() > 0 {
		if _, err := w.fillSession(data); err != nil {
			return nil, err
		}
		for key := range w.table.keys {
			if record, err := w.table.Load(context.Background(), key); err == nil {
				return string(record.Data), nil
			}
		}
	}
	return w.sessionSigner().Dumps([]byte("{}"), true, w.now()), nil
}

// useEngine chooses the engine of a verb; in signed_cookies rows are not encoded.
func (w *world) useEngine(a object) error {
	if engine := a.text("engine"); engine != "" {
		w.settings.SessionEngine = engine
	}
	if w.keepsInCookie() {
		return unsupported("rows of the engine signed_cookies, which has none")
	}
	return nil
}

const (
	verbKey         = "verbverbverbverbverbverbverbverb"
	sessionAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// readSession serves a request with a session cookie, whose record holds data, and returns what f
// finds.
func (w *world) readSession(cookie, data string, f func(*session.Session) any) (found any, err error) {
	if data != "" {
		var row object
		row.Set("key", mustMarshal(cookie))
		row.Set("raw", mustMarshal(data))
		if err := w.insert(row); err != nil {
			return nil, err
		}
	}
	_, err = w.through(w.settings.SessionCookieName+"="+django.QuoteCookie(cookie), func(_ http.ResponseWriter, r *http.Request) {
		found = f(session.From(r.Context()))
	})
	return found, err
}

func (w *world) sessionDecode(a object) (any, error) {
	if err := w.useEngine(a); err != nil {
		return nil, err
	}
	return w.readSession(verbKey, orColon(a.text("value")), func(s *session.Session) any { return itemsOf(s) })
}

// orColon is a payload that cannot be read where there is none: an empty one is no record.
func orColon(payload string) string {
	if payload == "" {
		return ":"
	}
	return payload
}

func (w *world) sessionKeyValid(a object) (any, error) {
	if err := w.useEngine(a); err != nil {
		return nil, err
	}
	row := w.sessionSigner().Dumps([]byte("{}"), false, w.now())
	key, err := w.readSession(a.text("key"), row, func(s *session.Session) any { return s.Key() })
	if key == "" {
		return nil, err
	}
	return key, err
}

func (w *world) signedCookieSession(a object) (any, error) {
	w.settings.SessionEngine = "django.contrib.sessions.backends.signed_cookies"
	out, err := w.fillSession(a.object("data"))
	if err != nil {
		return nil, err
	}
	for _, c := range out.cookies() {
		return django.UnquoteCookie(c.coded), nil
	}
	return nil, unsupported("a session without items is no cookie")
}

func (w *world) signedCookieSessionLoad(a object) (any, error) {
	w.settings.SessionEngine = "django.contrib.sessions.backends.signed_cookies"
	return w.readSession(a.text("value"), "", func(s *session.Session) any { return itemsOf(s) })
}

// sessionKey is the key of a new session.
func (w *world) sessionKey() (any, error) {
	var data object
	data.Set("a", json.RawMessage("1"))
	out, err := w.fillSession(data)
	if err != nil {
		return nil, err
	}
	return out.cookies()[0].coded, nil
}

// csrfFormat is _check_token_format of Django 4.0 and later, or what 3.2 has for it.
func (w *world) csrfFormat(a object) (any, error) {
	token := a.text("token")
	_, ok := django.CSRFSecret(token)
	if w.answerer.series() == "3.2" { // which masks the bare, and replaces what is none
		return objectFrom("kept", ok && len(token) == django.CSRFTokenLength, "length", django.CSRFTokenLength), nil
	}
	switch n := len([]rune(token)); {
	case n != django.CSRFSecretLength && n != django.CSRFTokenLength:
		return "has incorrect length", nil
	case !ok:
		return "has invalid characters", nil
	}
	return "ok", nil
}

// b62 is how times are written in what is signed.
func b62(_ *world, a object) (any, error) {
	s := django.NewSigner("b62", "b62")
	if n, ok := a.number("encode"); ok && n >= 0 && n < 1<<50 {
		return strings.Split(s.SignAt("", time.Unix(int64(n), 0)), ":")[1], nil
	}
	if a.given("decode") {
		_, t, err := s.UnsignAt(s.Sign(":"+a.text("decode")), -1, time.Time{})
		return t.Unix(), err
	}
	return nil, unsupported("numbers that are no times")
}

// saltedHMAC is what signatures are made of: SHA-256, with a salt that ends in "signer".
func (w *world) saltedHMAC(a object) (any, error) {
	salt, ok := strings.CutSuffix(a.text("salt"), "signer")
	if !ok || salt == "" || a.text("algorithm") != "sha256" {
		return nil, unsupported("HMAC other than that of signatures")
	}
	key := w.settings.SecretKey
	if a.given("secret") {
		key = a.text("secret")
	}
	if key == "" {
		return nil, valueError("an empty key signs for everybody")
	}
	signed := django.NewSigner(salt, key).Sign(a.text("value"))
	sum, err := base64.RawURLEncoding.DecodeString(signed[strings.LastIndexByte(signed, ':')+1:])
	return hex.EncodeToString(sum), err
}

// allows asks a Guard with these ALLOWED_HOSTS.
func (w *world) allows(host string, allowed []string) (any, error) {
	w.settings.AllowedHosts, w.settings.Debug = allowed, false
	g, err := w.guard(false)
	if err != nil {
		return nil, err
	}
	return g.Host(&http.Request{Method: http.MethodGet, Host: latin1(host), Header: http.Header{}}).Yes, nil
}

// vary adds Cookie to what a handler has set.
func (w *world) vary(a object) (any, error) {
	if add := a.texts("add"); len(add) != 1 || !strings.EqualFold(add[0], "Cookie") {
		return nil, unsupported("Vary by anything but Cookie")
	}
	out, err := w.through("", func(out http.ResponseWriter, r *http.Request) {
		if a.given("existing") {
			out.Header().Set("Vary", a.text("existing"))
		}
		session.From(r.Context()).Has("a")
		out.WriteHeader(http.StatusOK)
	})
	if err != nil {
		return nil, err
	}
	return strings.Join(out.sent["Vary"], "\n"), nil
}

// csp is the header of a policy, with the nonce where a handler asks for one.
func (w *world) csp(a object) (any, error) {
	w.settings.SecureCSP = policy(a.object("policy"))
	nonce := ""
	out, err := w.through("", func(out http.ResponseWriter, r *http.Request) {
		if a.given("nonce") {
			nonce = lockstep.CSPNonce(r)
		}
		out.WriteHeader(http.StatusOK)
	})
	if err != nil {
		return nil, err
	}
	return strings.ReplaceAll(out.sent.Get("Content-Security-Policy"), "'nonce-"+nonce+"'", "'nonce-"+a.text("nonce")+"'"), nil
}

func (w *world) defaults(a object) (any, error) {
	all := map[string]any{}
	for _, name := range a.texts("names") {
		all[name] = defaultOf(w.answerer.version, name)
	}
	return all, nil
}

func (w *world) checks(a object) (any, error) {
	if w.answerer.check == nil {
		return nil, unsupported("check: ask `go run ./internal/oracle/answer`")
	}
	settings := map[string]json.RawMessage{}
	change := a.object("settings")
	for _, name := range change.Keys() {
		settings[name] = change.raw(name)
	}
	ids, err := w.answerer.check(settings, !a.has("deploy") || a.flag("deploy"))
	return append([]string{}, ids...), err
}
