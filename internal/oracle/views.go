package oracle

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
)

// A call is a view of oracle.py at work, as a handler behind a Guard.
type call struct {
	w    *world
	out  http.ResponseWriter
	r    *http.Request
	args object
}

// The views of oracle.py by their names. An error that is not of what Lockstep lacks is what a Django
// answers with 500.
var views = map[string]func(*call) error{
	"plain":         (*call).plain,
	"abs":           (*call).abs,
	"setcookie":     (*call).setCookies,
	"getsigned":     (*call).getSigned,
	"session":       (*call).session,
	"csrf":          (*call).csrf,
	"csrf_exempt":   (*call).csrf,
	"csrf_protect":  (*call).csrf, // what the Guard has checked needs no second check
	"csrf_requires": (*call).csrf,
	"csrf_ensure": func(c *call) error {
		lockstep.CSRFToken(c.r)
		return c.csrf()
	},
	"status": func(c *call) error {
		return c.reply("status", http.StatusOK)
	},
	"redirect": (*call).redirect,
	"raise":    (*call).raise,
	"none": func(c *call) error {
		writeText(c.out, http.StatusNotFound, "error 404")
		return nil
	},
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func writeJSON(w http.ResponseWriter, status int, value json.RawMessage) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(value)
}

// head sets what the arguments say of the response, and returns its status.
func (c *call) head(otherwise int) int {
	headers := c.args.object("response_headers")
	for _, name := range headers.Keys() {
		c.out.Header().Set(name, headers.text(name))
	}
	if status, ok := c.args.number("status"); ok && status >= 100 && status <= 999 {
		return int(status)
	}
	return otherwise
}

func (c *call) reply(text string, status int) error {
	if c.args.flag("xframe_exempt") || c.args.flag("vary") {
		return unsupported("the arguments xframe_exempt and vary: a handler sets headers")
	}
	c.out.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.out.WriteHeader(c.head(status))
	_, _ = io.WriteString(c.out, text)
	return nil
}

func (c *call) replyJSON(value json.RawMessage) error {
	if c.args.flag("xframe_exempt") || c.args.flag("vary") {
		return unsupported("the arguments xframe_exempt and vary: a handler sets headers")
	}
	writeJSON(c.out, c.head(http.StatusOK), value)
	return nil
}

// plain tells what of a request Lockstep knows: neither the port nor the path, which are net/http's.
func (c *call) plain() error {
	scheme := "http"
	if lockstep.IsSecure(c.r) {
		scheme = "https"
	}
	var cookies django.Object
	for _, line := range c.r.Header["Cookie"] {
		for _, pair := range django.ParseCookies(line) {
			value, _ := lockstep.ReadCookie(c.r, pair.Name)
			cookies.Set(pair.Name, mustMarshal(value))
		}
	}
	return c.replyJSON(objectFrom(
		"method", c.r.Method, "scheme", scheme, "is_secure", lockstep.IsSecure(c.r), "host", lockstep.Host(c.r),
		"full_path", django.FullPath(c.r.URL.EscapedPath(), c.r.URL.RawQuery),
		"absolute_uri", lockstep.AbsoluteURI(c.r, ""), "COOKIES", cookies))
}

func (c *call) abs() error {
	uris := []string{}
	for _, location := range c.args.texts("locations") {
		uris = append(uris, lockstep.AbsoluteURI(c.r, location))
	}
	return c.replyJSON(mustMarshal(uris))
}

func (c *call) setCookies() error {
	for _, op := range c.args.list("ops") {
		parts := listOf(op)
		if len(parts) != 2 {
			return valueError("a cookie operation is a verb and its arguments")
		}
		if err := c.setCookie(textOf(parts[0]), objectOf(parts[1])); err != nil {
			return err
		}
	}
	return c.reply("ok", http.StatusOK)
}

func (c *call) setCookie(verb string, kw object) error {
	cookie, err := c.cookie(kw)
	if err != nil {
		return err
	}
	switch verb {
	case "set":
		return lockstep.SetCookie(c.out, c.r, cookie)
	case "delete":
		return lockstep.DeleteCookie(c.out, c.r, cookie)
	case "signed":
		return lockstep.SetSignedCookie(c.out, c.r, cookie, kw.text("salt"))
	}
	return unsupported("the cookie operation %q", verb)
}

// cookie is what the arguments of set_cookie() and its like are for Lockstep.
func (c *call) cookie(kw object) (lockstep.Cookie, error) {
	cookie := lockstep.Cookie{
		Name: kw.text("key"), Domain: kw.text("domain"), Path: kw.text("path"),
		Secure: kw.flag("secure"), HttpOnly: kw.flag("httponly"),
	}
	if kw.has("value") {
		cookie.Value = pythonText(kw.raw("value"))
	}
	if kw.has("path") && cookie.Path == "" {
		return cookie, unsupported("a cookie without a Path: it would depend on the page")
	}
	switch site := kw.text("samesite"); site {
	case "":
	case "Lax":
		cookie.SameSite = http.SameSiteLaxMode
	case "Strict":
		cookie.SameSite = http.SameSiteStrictMode
	case "None":
		cookie.SameSite = http.SameSiteNoneMode
	default:
		return cookie, unsupported("SameSite=%s: Go has a type for it", site)
	}
	if kw.given("max_age") {
		age, ok := seconds(kw.raw("max_age"))
		if math.Trunc(age) == 0 || !ok {
			return cookie, unsupported("max_age %s: Go has a type for it, and 0 is none", kw.raw("max_age"))
		}
		cookie.MaxAge = duration(age)
	}
	if kw.given("expires") {
		t, err := c.w.expires(kw)
		cookie.Expires = t
		return cookie, err
	}
	return cookie, nil
}

// expires is the end of a cookie: a date of HTTP, {"in": seconds from now} or {"iso": text}.
func (w *world) expires(kw object) (time.Time, error) {
	if in, ok := seconds(w.in(kw)); ok {
		return w.now().Add(duration(in)), nil
	}
	text := kw.text("expires")
	if given := kw.object("expires"); given.given("iso") {
		return time.Parse(time.RFC3339, given.text("iso"))
	}
	t, err := time.Parse(http.TimeFormat, text)
	if err != nil {
		return t, unsupported("expires %q: Go has a type for it", text)
	}
	return t, nil
}

func (w *world) in(kw object) json.RawMessage {
	expires := kw.object("expires")
	return expires.raw("in")
}

func (c *call) getSigned() error {
	values := []any{}
	for _, raw := range c.args.list("gets") {
		kw := objectOf(raw)
		value, err := c.signedCookie(kw)
		switch {
		case err == nil:
			values = append(values, value)
		case kw.has("default"):
			values = append(values, kw.raw("default"))
		default:
			values = append(values, "!"+errorText(err))
		}
	}
	return c.replyJSON(mustMarshal(values))
}

func (c *call) signedCookie(kw object) (string, error) {
	age, _ := seconds(kw.raw("max_age"))
	value, err := lockstep.SignedCookie(c.r, kw.text("key"), kw.text("salt"), duration(age))
	if errors.Is(err, fs.ErrNotExist) {
		err = &djangoError{"KeyError", "'" + kw.text("key") + "'"}
	}
	return value, err
}

// csrf is a page with a token, and what takes its form.
func (c *call) csrf() error {
	method := c.r.Method
	reads := method == http.MethodGet || method == http.MethodHead
	var out django.Object
	out.Set("method", mustMarshal(method))
	if (reads || c.args.flag("token")) && !c.args.flag("no_token") {
		token := lockstep.CSRFToken(c.r)
		secret, _ := django.CSRFSecret(token)
		out.Set("token", mustMarshal(token))
		out.Set("secret", mustMarshal(secret))
	}
	if c.args.flag("rotate") {
		if err := lockstep.RotateCSRFToken(c.r); err != nil {
			return err
		}
		if c.args.flag("token_after_rotate") {
			out.Set("token2", mustMarshal(lockstep.CSRFToken(c.r)))
		}
	}
	if !reads {
		out.Set("ok", mustMarshal(true))
		out.Set("POST", c.post())
	}
	return c.replyJSON(out.AppendJSON(nil))
}

// maxForm is how much of a form is kept in memory.
const maxForm = 1 << 20

// post is Django's request.POST: of a POST alone.
func (c *call) post() json.RawMessage {
	if err := c.r.ParseMultipartForm(maxForm); c.r.Method != http.MethodPost || err != nil && c.r.PostForm == nil {
		return json.RawMessage("{}")
	}
	return mustMarshal(map[string][]string(c.r.PostForm))
}

func (c *call) redirect() error {
	c.out.Header().Set("Location", django.IRIToURI(c.args.text("to")))
	if c.args.flag("permanent") {
		return c.reply("", http.StatusMovedPermanently)
	}
	return c.reply("", http.StatusFound)
}

func (c *call) raise() error {
	status, ok := map[string]int{
		"Http404": http.StatusNotFound, "PermissionDenied": http.StatusForbidden, "SuspiciousOperation": http.StatusBadRequest,
		"DisallowedHost": http.StatusBadRequest, "BadRequest": http.StatusBadRequest, "RuntimeError": http.StatusInternalServerError,
	}[c.args.text("exc")]
	if !ok {
		return unsupported("the exception %q", c.args.text("exc"))
	}
	writeText(c.out, status, "error "+strconv.Itoa(status))
	return nil
}
