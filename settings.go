package lockstep

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
)

// Settings is what a site wants: plain data, with Django's names in Go's case and Django's
// units. Ages are in seconds.
//
// Start from [Recommended] or [DjangoDefaults] and change fields; the zero Settings is refused,
// as it has no SECRET_KEY and no cookie names. [New] copies Settings and checks all of it, so a
// change made afterwards has no effect.
//
// Where Django knows None or False as the way to turn something off, the zero value of the field
// stands for it. The tag of a field gives Django's name, then how the zero value is written in
// Django if that is not ” or [] or 0, and whether the value is a secret.
type Settings struct {
	// SecretKey is SECRET_KEY: the key with which sessions and cookies are signed. An empty one
	// is refused. Default: "".
	SecretKey string `django:"SECRET_KEY,secret"`

	// SecretKeyFallbacks is SECRET_KEY_FALLBACKS: former keys, whose signatures are still
	// accepted. Django has it since 4.1. Default: none.
	SecretKeyFallbacks []string `django:"SECRET_KEY_FALLBACKS,secret"`

	// Debug is DEBUG: error pages show reasons, and with no ALLOWED_HOSTS localhost is allowed.
	// Default: False.
	Debug bool `django:"DEBUG"`

	// AllowedHosts is ALLOWED_HOSTS: the host names that the site answers to. ".shop.test" is
	// shop.test and everything below it, "*" is any name; ports are not compared. With none,
	// every request is answered with 400 unless DEBUG is True. Default: none.
	AllowedHosts []string `django:"ALLOWED_HOSTS"`

	// SecureSSLRedirect is SECURE_SSL_REDIRECT: requests that are not secure are redirected to
	// https. Default: False.
	SecureSSLRedirect bool `django:"SECURE_SSL_REDIRECT"`

	// SecureSSLHost is SECURE_SSL_HOST: the host, with its port if it needs one, to which
	// SECURE_SSL_REDIRECT sends instead of the host that was asked. Default: None.
	SecureSSLHost string `django:"SECURE_SSL_HOST,none"`

	// SecureRedirectExempt is SECURE_REDIRECT_EXEMPT: regular expressions, searched for in the
	// path without its leading slashes; what matches is not redirected. They are Go's (RE2): no
	// lookaround, no backreferences, and $ is the end of the path only, where Python's also
	// matches before a final newline. Default: none.
	SecureRedirectExempt []string `django:"SECURE_REDIRECT_EXEMPT"`

	// SecureProxySSLHeader is SECURE_PROXY_SSL_HEADER: the header by which a proxy says that a
	// request was secure, and its value, as ("HTTP_X_FORWARDED_PROTO", "https"). The header is
	// believed from TRUSTED_PROXIES only. Default: None.
	SecureProxySSLHeader [2]string `django:"SECURE_PROXY_SSL_HEADER,none"`

	// UseXForwardedHost is USE_X_FORWARDED_HOST: X-Forwarded-Host replaces Host when it comes
	// from TRUSTED_PROXIES. Default: False.
	UseXForwardedHost bool `django:"USE_X_FORWARDED_HOST"`

	// UseXForwardedPort is USE_X_FORWARDED_PORT: X-Forwarded-Port replaces the port of the
	// server when it comes from TRUSTED_PROXIES. Default: False.
	UseXForwardedPort bool `django:"USE_X_FORWARDED_PORT"`

	// TrustedProxies is TRUSTED_PROXIES: the addresses and CIDR prefixes of peers whose
	// forwarding headers are believed, such as "10.0.0.0/8". Django has no such setting.
	// Default: none.
	TrustedProxies []string `django:"TRUSTED_PROXIES"`

	// InsecureTrustAnyProxy is INSECURE_TRUST_ANY_PROXY: forwarding headers are believed from
	// every peer, as Django does, so that whoever reaches the server directly can make http look
	// like https. Django has no such setting. Default: False.
	InsecureTrustAnyProxy bool `django:"INSECURE_TRUST_ANY_PROXY"`

	// SecureHSTSSeconds is SECURE_HSTS_SECONDS: for how many seconds browsers shall come over
	// https only. 0 sends no header. Default: 0.
	SecureHSTSSeconds int `django:"SECURE_HSTS_SECONDS"`

	// SecureHSTSIncludeSubdomains is SECURE_HSTS_INCLUDE_SUBDOMAINS: SECURE_HSTS_SECONDS holds
	// for all subdomains too. Default: False.
	SecureHSTSIncludeSubdomains bool `django:"SECURE_HSTS_INCLUDE_SUBDOMAINS"`

	// SecureHSTSPreload is SECURE_HSTS_PRELOAD: browsers may carry the site in their built-in
	// list. Default: False.
	SecureHSTSPreload bool `django:"SECURE_HSTS_PRELOAD"`

	// SecureContentTypeNosniff is SECURE_CONTENT_TYPE_NOSNIFF: the header X-Content-Type-Options
	// is sent. Default: True.
	SecureContentTypeNosniff bool `django:"SECURE_CONTENT_TYPE_NOSNIFF"`

	// SecureReferrerPolicy is SECURE_REFERRER_POLICY: the policies of the header
	// Referrer-Policy, of which browsers take the last they know. None sends no header.
	// Default: same-origin.
	SecureReferrerPolicy []string `django:"SECURE_REFERRER_POLICY,none,words"`

	// SecureCrossOriginOpenerPolicy is SECURE_CROSS_ORIGIN_OPENER_POLICY: the header
	// Cross-Origin-Opener-Policy. None sends no header. Default: same-origin; None in 3.2, which
	// does not have it.
	SecureCrossOriginOpenerPolicy string `django:"SECURE_CROSS_ORIGIN_OPENER_POLICY,none"`

	// SecureCrossOriginResourcePolicy is SECURE_CROSS_ORIGIN_RESOURCE_POLICY: the header
	// Cross-Origin-Resource-Policy, by which same-origin, same-site or cross-origin pages may show
	// what the site serves; same-origin also keeps images out of mails that are read on the web.
	// None sends no header. Django has no such setting. Default: None.
	SecureCrossOriginResourcePolicy string `django:"SECURE_CROSS_ORIGIN_RESOURCE_POLICY,none"`

	// SecurePermissionsPolicy is SECURE_PERMISSIONS_POLICY: the items of the header
	// Permissions-Policy, as "camera=()" and "geolocation=(self)". None sends no header. Django has no
	// such setting. Default: None.
	SecurePermissionsPolicy []string `django:"SECURE_PERMISSIONS_POLICY,none"`

	// SecureCSP is SECURE_CSP: the directives of the header Content-Security-Policy in their order,
	// each with its sources; see CSP and CSPNonce. An empty one sends no header. Django has it since
	// 6.0. Default: none.
	SecureCSP CSP `django:"SECURE_CSP"`

	// SecureCSPReportOnly is SECURE_CSP_REPORT_ONLY: SECURE_CSP for the header
	// Content-Security-Policy-Report-Only, of which browsers report what they would refuse. Django
	// has it since 6.0. Default: none.
	SecureCSPReportOnly CSP `django:"SECURE_CSP_REPORT_ONLY"`

	// SecureBrowserXSSFilter is SECURE_BROWSER_XSS_FILTER: the header X-XSS-Protection is sent.
	// Django has it up to 3.2 and ignores it later. Default: False.
	SecureBrowserXSSFilter bool `django:"SECURE_BROWSER_XSS_FILTER"`

	// XFrameOptions is X_FRAME_OPTIONS: DENY or SAMEORIGIN. None sends no header, which in
	// Django is done by taking XFrameOptionsMiddleware out. Default: DENY.
	XFrameOptions string `django:"X_FRAME_OPTIONS,none"`

	// SessionEngine is SESSION_ENGINE: where sessions are kept, as one of the five names of
	// Django, such as django.contrib.sessions.backends.signed_cookies. Default:
	// django.contrib.sessions.backends.db.
	SessionEngine string `django:"SESSION_ENGINE"`

	// SessionCookieName is SESSION_COOKIE_NAME: the name of the session cookie. Default:
	// sessionid.
	SessionCookieName string `django:"SESSION_COOKIE_NAME"`

	// SessionCookieAge is SESSION_COOKIE_AGE: the age of a session and its cookie in seconds.
	// Default: 1209600, two weeks.
	SessionCookieAge int `django:"SESSION_COOKIE_AGE"`

	// SessionCookiePath is SESSION_COOKIE_PATH: the Path of the session cookie; an empty one
	// sends no attribute. Default: /.
	SessionCookiePath string `django:"SESSION_COOKIE_PATH"`

	// SessionCookieDomain is SESSION_COOKIE_DOMAIN: the Domain of the session cookie. None is a
	// cookie of the host alone. Default: None.
	SessionCookieDomain string `django:"SESSION_COOKIE_DOMAIN,none"`

	// SessionCookieSecure is SESSION_COOKIE_SECURE: browsers send the session cookie over https
	// only. Default: False.
	SessionCookieSecure bool `django:"SESSION_COOKIE_SECURE"`

	// SessionCookieHttpOnly is SESSION_COOKIE_HTTPONLY: scripts do not see the session cookie.
	// Default: True.
	SessionCookieHttpOnly bool `django:"SESSION_COOKIE_HTTPONLY"`

	// SessionCookieSameSite is SESSION_COOKIE_SAMESITE: the SameSite of the session cookie, one
	// of Strict, Lax and None, or False for no attribute. Default: Lax.
	SessionCookieSameSite string `django:"SESSION_COOKIE_SAMESITE,false"`

	// SessionExpireAtBrowserClose is SESSION_EXPIRE_AT_BROWSER_CLOSE: the session cookie ends
	// with the browser. Default: False.
	SessionExpireAtBrowserClose bool `django:"SESSION_EXPIRE_AT_BROWSER_CLOSE"`

	// SessionSaveEveryRequest is SESSION_SAVE_EVERY_REQUEST: sessions are saved, and their
	// cookies renewed, by every request. Default: False.
	SessionSaveEveryRequest bool `django:"SESSION_SAVE_EVERY_REQUEST"`

	// CSRFCookieName is CSRF_COOKIE_NAME: the name of the cookie of the CSRF protection.
	// Default: csrftoken.
	CSRFCookieName string `django:"CSRF_COOKIE_NAME"`

	// CSRFCookieAge is CSRF_COOKIE_AGE: the age of the cookie of the CSRF protection in seconds.
	// None, in Go 0, is a cookie that ends with the browser. Default: 31449600, 52 weeks.
	CSRFCookieAge int `django:"CSRF_COOKIE_AGE,none"`

	// CSRFCookiePath is CSRF_COOKIE_PATH: the Path of the cookie of the CSRF protection; an empty
	// one sends no attribute. Default: /.
	CSRFCookiePath string `django:"CSRF_COOKIE_PATH"`

	// CSRFCookieDomain is CSRF_COOKIE_DOMAIN: the Domain of the cookie of the CSRF protection.
	// None is a cookie of the host alone. Default: None.
	CSRFCookieDomain string `django:"CSRF_COOKIE_DOMAIN,none"`

	// CSRFCookieSecure is CSRF_COOKIE_SECURE: browsers send the cookie of the CSRF protection
	// over https only. Default: False.
	CSRFCookieSecure bool `django:"CSRF_COOKIE_SECURE"`

	// CSRFCookieHttpOnly is CSRF_COOKIE_HTTPONLY: scripts do not see the cookie of the CSRF
	// protection. Default: False.
	CSRFCookieHttpOnly bool `django:"CSRF_COOKIE_HTTPONLY"`

	// CSRFCookieSameSite is CSRF_COOKIE_SAMESITE: the SameSite of the cookie of the CSRF
	// protection, one of Strict, Lax and None, or False for no attribute. Default: Lax.
	CSRFCookieSameSite string `django:"CSRF_COOKIE_SAMESITE,false"`

	// CSRFHeaderName is CSRF_HEADER_NAME: the request header in which the CSRF protection looks
	// for a token, in Django's spelling. Default: HTTP_X_CSRFTOKEN.
	CSRFHeaderName string `django:"CSRF_HEADER_NAME"`

	// CSRFTrustedOrigins is CSRF_TRUSTED_ORIGINS: other origins from which the CSRF protection
	// takes requests, as "https://pay.shop.test" or "https://*.shop.test"; in 3.2 they are hosts,
	// as "pay.shop.test" or ".shop.test". Default: none.
	CSRFTrustedOrigins []string `django:"CSRF_TRUSTED_ORIGINS"`

	// CSRFUseSessions is CSRF_USE_SESSIONS: the CSRF protection keeps its secret in the session
	// instead of a cookie. Default: False.
	CSRFUseSessions bool `django:"CSRF_USE_SESSIONS"`

	// InsecureCSRFExempt is INSECURE_CSRF_EXEMPT: patterns of http.ServeMux, such as
	// "POST /hooks/{name}", for what the CSRF protection lets through unchecked. Any site can have a
	// browser send such a request with the user's cookies, so it has to be authenticated otherwise.
	// In Django views are exempted, by csrf_exempt. Default: none.
	InsecureCSRFExempt []string `django:"INSECURE_CSRF_EXEMPT"`

	// SignedCookieLegacySaltFallback is SIGNED_COOKIE_LEGACY_SALT_FALLBACK: signed cookies with
	// the salt used before 5.2.15 and 6.0.6 are still accepted. Older versions know the old salt
	// only. Default: True in 5.2 and 6.0, else False.
	SignedCookieLegacySaltFallback bool `django:"SIGNED_COOKIE_LEGACY_SALT_FALLBACK"`

	// UseTZ is USE_TZ: moments have a zone. It decides how a session holds the moment at which it
	// ends: a Django fails on one that is written otherwise than its own USE_TZ has it. Without a zone
	// moments are taken for UTC. Projects made by startproject set it to True in every version.
	// Default: True; False up to 4.2.
	UseTZ bool `django:"USE_TZ"`

	// DjangoVersion is DJANGO_VERSION: the Django with which this site shares its bytes, as
	// "5.2", which means its newest patch, or "5.2.14". Known are 3.2, 4.2, 5.2, 6.0 and 6.1.
	// Django has no such setting. Default: 6.1.
	DjangoVersion string `django:"DJANGO_VERSION"`
}

// Format implements [fmt.Formatter]: Django's names and the values, secrets as "…". Package
// encoding/json is for storing Settings and writes the secrets.
func (s Settings) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.withoutSecrets()) }

// LogValue implements [slog.LogValuer] likewise.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.withoutSecrets()) }

func (s Settings) withoutSecrets() string {
	var text strings.Builder
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("django"), ",")
		value := fmt.Sprint(v.Field(i).Interface())
		if strings.Contains(options, "secret") {
			value = "…"
		}
		fmt.Fprintf(&text, "%s=%s ", name, value)
	}
	return strings.TrimSuffix(text.String(), " ")
}

// clone returns a copy of s that shares no list with it.
func (s Settings) clone() Settings {
	s.SecretKeyFallbacks = slices.Clone(s.SecretKeyFallbacks)
	s.AllowedHosts = slices.Clone(s.AllowedHosts)
	s.SecureRedirectExempt = slices.Clone(s.SecureRedirectExempt)
	s.TrustedProxies = slices.Clone(s.TrustedProxies)
	s.SecureReferrerPolicy = slices.Clone(s.SecureReferrerPolicy)
	s.SecurePermissionsPolicy = slices.Clone(s.SecurePermissionsPolicy)
	s.SecureCSP, s.SecureCSPReportOnly = s.SecureCSP.clone(), s.SecureCSPReportOnly.clone()
	s.CSRFTrustedOrigins = slices.Clone(s.CSRFTrustedOrigins)
	s.InsecureCSRFExempt = slices.Clone(s.InsecureCSRFExempt)
	return s
}

// A SettingError is a setting that is refused. [New] joins one for every mistake it finds, so
// that errors.As finds the first, and the joined error prints one line each.
type SettingError struct {
	Setting string // Django's name, such as "SECURE_REDIRECT_EXEMPT"
	Value   string // the value, or the item of the list, as Django would write it; "" where it is missing or a secret
	Problem string // what is wrong with it
	Hint    string // what to write instead, or ""
}

// Error returns the setting, its value, the problem and the hint on one line.
func (e *SettingError) Error() string {
	var b strings.Builder
	b.WriteString(e.Setting)
	if e.Value != "" {
		fmt.Fprintf(&b, " = %s", e.Value)
	}
	b.WriteString(": " + e.Problem)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}
