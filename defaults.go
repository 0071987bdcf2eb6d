package lockstep

// latestDjango is the version of Recommended, and of DjangoDefaults for versions not known.
const latestDjango = "6.1"

// The ages that Django has as defaults, in seconds.
const (
	twoWeeks       = 14 * 24 * 60 * 60     // SESSION_COOKIE_AGE
	fiftyTwoWeeks  = 52 * 7 * 24 * 60 * 60 // CSRF_COOKIE_AGE
	oneYearSeconds = 365 * 24 * 60 * 60    // SECURE_HSTS_SECONDS of Recommended, and what preload lists ask for
)

const databaseEngine = "django.contrib.sessions.backends.db"

// DjangoDefaults returns the defaults that Django has in version ("3.2", "4.2", "5.2", "6.0",
// "6.1", or a patch such as "5.2.14"), from its django/conf/global_settings.py. They have no
// SECRET_KEY and allow no host; those two are to be added before [New] takes them and the site
// answers. A version that is not known gives the defaults of the newest one, with the version in
// DjangoVersion, where New refuses it.
func DjangoDefaults(version string) Settings {
	s := Settings{
		SecureContentTypeNosniff:      true,
		SecureReferrerPolicy:          []string{"same-origin"},
		SecureCrossOriginOpenerPolicy: "same-origin",
		XFrameOptions:                 "DENY",
		SessionEngine:                 databaseEngine,
		SessionCookieName:             "sessionid",
		SessionCookieAge:              twoWeeks,
		SessionCookiePath:             "/",
		SessionCookieHttpOnly:         true,
		SessionCookieSameSite:         "Lax",
		CSRFCookieName:                "csrftoken",
		CSRFCookieAge:                 fiftyTwoWeeks,
		CSRFCookiePath:                "/",
		CSRFCookieSameSite:            "Lax",
		CSRFHeaderName:                "HTTP_X_CSRFTOKEN",
		UseTZ:                         true,
		DjangoVersion:                 version,
	}
	v, ok := parseVersion(version)
	if !ok {
		return s
	}
	if !v.atLeast(4, 0, 0) {
		s.SecureCrossOriginOpenerPolicy = ""
	}
	s.UseTZ = v.atLeast(5, 0, 0)
	s.SignedCookieLegacySaltFallback = v.signsCookiesAnew() && !v.atLeast(6, 1, 0)
	return s
}

// Recommended returns the settings for a site that is served over https alone, by the given
// hosts: Django's newest defaults, with everything redirected to https, HSTS for a year (without
// subdomains, which may have sites of their own), and both cookies Secure and under __Host-
// names, which no subdomain and no plain http can set. Policies that a site can only write for
// itself are left to it: SECURE_CSP, SECURE_PERMISSIONS_POLICY, and
// SECURE_CROSS_ORIGIN_RESOURCE_POLICY, which takes images out of other people's pages and mails.
//
// secretKey should hold at least 50 random characters. Settings for a site that shares its
// cookies with a Django have that Django's names and version to be set.
func Recommended(secretKey string, hosts ...string) Settings {
	s := DjangoDefaults(latestDjango)
	s.SecretKey = secretKey
	s.AllowedHosts = append([]string(nil), hosts...)
	s.SecureSSLRedirect = true
	s.SecureHSTSSeconds = oneYearSeconds
	s.SessionCookieName = "__Host-sessionid"
	s.SessionCookieSecure = true
	s.CSRFCookieName = "__Host-csrftoken"
	s.CSRFCookieSecure = true
	return s
}
