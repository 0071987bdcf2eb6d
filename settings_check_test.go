package lockstep_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
)

// A settingsTest changes settings that are good otherwise, and names the lines with which they
// are refused; none means that they are taken.
type settingsTest struct {
	change func(*lockstep.Settings)
	want   []string
}

func (test settingsTest) run(t *testing.T) {
	t.Helper()
	s := settingsWithKey()
	test.change(&s)
	_, err := lockstep.CheckSettings(s)
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	if !slices.Equal(got, test.want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
	}
}

func settingsWithKey() lockstep.Settings {
	s := lockstep.DjangoDefaults("6.1")
	s.SecretKey = "k"
	return s
}

// Settings with one item of one setting, and what is said of it; "" is nothing.
type settingsItemTest struct{ item, want string }

func runSettingsItems(t *testing.T, setting string, set func(*lockstep.Settings, string), tests []settingsItemTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.item, func(t *testing.T) {
			full := settingsTest{change: func(s *lockstep.Settings) { set(s, test.item) }}
			if test.want != "" {
				full.want = []string{fmt.Sprintf("%s = %q: %s", setting, test.item, test.want)}
			}
			full.run(t)
		})
	}
}

func TestSettingsAllowedHosts(t *testing.T) {
	set := func(s *lockstep.Settings, host string) { s.AllowedHosts = []string{host} }
	runSettingsItems(t, "ALLOWED_HOSTS", set, []settingsItemTest{
		{"*", ""},
		{"shop.test", ""},
		{"SHOP.test", ""},
		{".shop.test", ""},
		{"127.0.0.1", ""},
		{"[::1]", ""},
		{".[::1]", ""},
		{"", "names no host, so it never matches"},
		{".", "names no host, so it never matches"},
		{"shop.test:8000", `has a port, so it never matches; write "shop.test"`},
		{".shop.test:80", `has a port, so it never matches; write ".shop.test"`},
		{"[::1]:80", `has a port, so it never matches; write "[::1]"`},
		{"https://shop.test/", `has a scheme, so it never matches; write "shop.test"`},
		{"http://*.x.test:80/", `has a scheme, so it never matches; write ".x.test"`},
		{"https://", "has a scheme, so it never matches"},
		{"shop.test/", `has a path, so it never matches; write "shop.test"`},
		{"*.shop.test", `has an asterisk where a leading dot stands for all subdomains, so it never matches; write ".shop.test"`},
		{"*.", "has an asterisk where a leading dot stands for all subdomains, so it never matches"},
		{"::1", `is an IPv6 address without its brackets, so it never matches; write "[::1]"`},
		{"shop.test.", `ends in a dot, which is taken off every Host, so it never matches; write "shop.test"`},
		{" shop.test", `has spaces around it, so it never matches; write "shop.test"`},
		{"bücher.test", "is not ASCII, and browsers send such names in Punycode (xn--), so it never matches"},
		{"my_host", "has a character that Django takes in no host name, so it never matches"},
		{"a b", "has a character that Django takes in no host name, so it never matches"},
		{"[::1", "has a character that Django takes in no host name, so it never matches"},
	})
}

func TestSettingsSSLHost(t *testing.T) {
	const bad = `is not a host; write a host name alone, or with a port, as "shop.test:8443"`
	set := func(s *lockstep.Settings, host string) { s.SecureSSLHost = host }
	runSettingsItems(t, "SECURE_SSL_HOST", set, []settingsItemTest{
		{"", ""},
		{"shop.test", ""},
		{"Shop.test:8443", ""},
		{"my_shop.test", ""},
		{"[::1]:8443", ""},
		{"https://shop.test", bad},
		{"shop.test/", bad},
		{"shop.test:", bad},
		{"shop test", bad},
		{"shop.test\r\nX: y", bad},
		{"bücher.test", bad},
	})
}

func TestSettingsRedirectExempt(t *testing.T) {
	set := func(s *lockstep.Settings, pattern string) { s.SecureRedirectExempt = []string{pattern} }
	const slash = "never matches, as it is searched for in the path without its leading slash"
	const notRE2 = "is not a regular expression that Go's RE2 reads: "
	runSettingsItems(t, "SECURE_REDIRECT_EXEMPT", set, []settingsItemTest{
		{`^health/$`, ""},
		{`(?i)^(?P<name>a|b)\d{1,3}`, ""},
		{`/health`, ""}, // matches in the middle of a path
		{`^/?health`, ""},
		{`^/*health`, ""},
		{`^/a|b`, ""},
		{`(?m)^/a`, ""},
		{`^/health`, slash + `; write "^health"`},
		{`^\/health`, slash + "; leave the leading slash out"},
		{`\A/health`, slash + "; leave the leading slash out"},
		{`^(/a|/b)`, slash + "; leave the leading slash out"},
		{`^/a|^/b`, slash + `; write "^a|^/b"`},
		{`(^/a)`, slash + "; leave the leading slash out"},
		{`^/+a`, slash + `; write "^+a"`},
		{`^/{2}a`, slash + `; write "^{2}a"`},
		{"", "matches every path; set SECURE_SSL_REDIRECT = False if nothing is to be redirected"},
		{`(?=x)y`, `lookaround "(?=" is not supported; write one pattern for every path that is exempt`},
		{`(?!admin)`, `lookaround "(?!" is not supported; write one pattern for every path that is exempt`},
		{`(?<!x)y`, `lookaround "(?<!" is not supported; write one pattern for every path that is exempt`},
		{`x\Z`, `\Z is not supported; write $, which here is the end of the path alone`},
		{`(a)\1`, `backreference \1 is not supported; write the text out`},
		{`(`, notRE2 + `missing closing ): "("`},
		{`a{2000}`, notRE2 + `invalid repeat count: "{2000}"`},
		{`[z-a]`, notRE2 + `invalid character class range: "z-a"`},
		{"\xff", notRE2 + `invalid UTF-8: "\xff"`},
	})
}

func TestSettingsTrustedProxies(t *testing.T) {
	set := func(s *lockstep.Settings, entry string) { s.TrustedProxies = []string{entry} }
	const neither = `is neither an address nor a CIDR prefix; write it as "10.0.0.0/8" or "2001:db8::/32"`
	const everybody = "trusts every peer; name the proxies, or set INSECURE_TRUST_ANY_PROXY = True"
	runSettingsItems(t, "TRUSTED_PROXIES", set, []settingsItemTest{
		{"10.0.0.0/8", ""},
		{"10.0.0.1", ""},
		{"2001:db8::/32", ""},
		{"::1", ""},
		{"::ffff:10.0.0.1", ""},
		{"", neither},
		{"proxy.test", neither},
		{"10.0.0.0/33", neither},
		{"10.0.0.1:80", neither},
		{"fe80::1%eth0", neither},
		{"0.0.0.0/0", everybody},
		{"::/0", everybody},
		{"10.0.0.1/8", `has bits set behind its prefix length; write "10.0.0.0/8"`},
		{"::ffff:10.0.0.0/104", "is an IPv4 prefix in IPv6 spelling; write it as IPv4, which holds for both spellings of a peer"},
	})
}

func TestSettingsProxyHeader(t *testing.T) {
	const good = `write ("HTTP_X_FORWARDED_PROTO", "https")`
	const noHeader = `names no header, which begin with HTTP_ in request.META; write it as "HTTP_X_FORWARDED_PROTO"`
	const spelling = `never matches, as request.META spells header names differently; write "HTTP_X_FORWARDED_PROTO"`
	for _, test := range []struct{ name, value, want string }{
		{"HTTP_X_FORWARDED_PROTO", "https", ""},
		{"HTTP_FRONT_END_HTTPS", "on", ""},
		{"X-Forwarded-Proto", "https", spelling},
		{"x_forwarded_proto", "https", spelling},
		{"HTTP_X-Forwarded-Proto", "https", spelling},
		{"HTTPS", "on", noHeader},
		{"", "https", noHeader},
		{"HTTP_", "https", noHeader},
		{"HTTP_X_FORWARDED_PROTO", "", "an empty header would say secure; " + good},
		{"HTTP_X_FORWARDED_PROTO", "http", "would take http for secure and https for insecure; " + good},
		{"HTTP_X_FORWARDED_PROTO", " https", "never matches, as one element without spaces is compared; " + good},
		{"HTTP_X_FORWARDED_PROTO", "https,https", "never matches, as one element without spaces is compared; " + good},
	} {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			full := settingsTest{change: func(s *lockstep.Settings) {
				s.TrustedProxies = []string{"10.0.0.1"}
				s.SecureProxySSLHeader = [2]string{test.name, test.value}
			}}
			if test.want != "" {
				full.want = []string{fmt.Sprintf("SECURE_PROXY_SSL_HEADER = (%q, %q): %s", test.name, test.value, test.want)}
			}
			full.run(t)
		})
	}
}

func TestSettingsForwardingHeadersNeedTrust(t *testing.T) {
	const untrusted = ": needs TRUSTED_PROXIES, or any client could send the header itself; " +
		"set TRUSTED_PROXIES to the addresses of the proxies, or INSECURE_TRUST_ANY_PROXY = True"
	useAll := func(s *lockstep.Settings) {
		s.SecureProxySSLHeader = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}
		s.UseXForwardedHost = true
		s.UseXForwardedPort = true
	}
	for name, test := range map[string]settingsTest{
		"no trust": {useAll, []string{
			`SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")` + untrusted,
			"USE_X_FORWARDED_HOST = True" + untrusted,
			"USE_X_FORWARDED_PORT = True" + untrusted,
		}},
		"trusted proxies": {func(s *lockstep.Settings) { useAll(s); s.TrustedProxies = []string{"10.0.0.1"} }, nil},
		"any proxy":       {func(s *lockstep.Settings) { useAll(s); s.InsecureTrustAnyProxy = true }, nil},
		"both": {func(s *lockstep.Settings) {
			s.InsecureTrustAnyProxy = true
			s.TrustedProxies = []string{"10.0.0.1"}
		}, []string{"INSECURE_TRUST_ANY_PROXY = True: makes TRUSTED_PROXIES meaningless; take one of the two out"}},
	} {
		t.Run(name, test.run)
	}
}

func TestSettingsHeaderSettings(t *testing.T) {
	runSettingsItems(t, "SECURE_REFERRER_POLICY", func(s *lockstep.Settings, v string) { s.SecureReferrerPolicy = []string{v} }, []settingsItemTest{
		{"no-referrer", ""},
		{"strict-origin-when-cross-origin", ""},
		{"", "is not a value that is known; write one of no-referrer, no-referrer-when-downgrade, origin, origin-when-cross-origin, " +
			"same-origin, strict-origin, strict-origin-when-cross-origin, unsafe-url"},
	})
	runSettingsItems(t, "SECURE_CROSS_ORIGIN_OPENER_POLICY", func(s *lockstep.Settings, v string) { s.SecureCrossOriginOpenerPolicy = v }, []settingsItemTest{
		{"", ""},
		{"unsafe-none", ""},
		{"Same-Origin", "is not a value that is known; write one of same-origin, same-origin-allow-popups, unsafe-none"},
	})
	runSettingsItems(t, "X_FRAME_OPTIONS", func(s *lockstep.Settings, v string) { s.XFrameOptions = v }, []settingsItemTest{
		{"", ""},
		{"deny", ""},
		{"SAMEORIGIN", ""},
		{"ALLOW-FROM https://a.test", "is not a value that is known; write one of DENY, SAMEORIGIN"},
	})
}

func TestSettingsCookieNames(t *testing.T) {
	const legal = "is not a name that Django can set; write letters, digits and !#$%&'*+-.^_`|~: only"
	const noSecure = "no browser stores a cookie of this name without Secure; set SESSION_COOKIE_SECURE = True, or use another name"
	set := func(s *lockstep.Settings, name string) { s.SessionCookieName = name }
	runSettingsItems(t, "SESSION_COOKIE_NAME", set, []settingsItemTest{
		{"sid", ""},
		{"a!#$%&'*+-.^_`|~:9", ""},
		{"a b", legal},
		{"a;b", legal},
		{"a=b", legal},
		{"é", legal},
		{"Path", "is the name of an attribute, which Django refuses; write another name"},
		{"__Host-a", noSecure},
		{"__secure-a", noSecure},
	})
	for name, test := range map[string]settingsTest{
		"empty": {
			func(s *lockstep.Settings) { s.SessionCookieName = "" },
			[]string{`SESSION_COOKIE_NAME: must not be empty; write a name, such as "sessionid"`},
		},
		"__Secure- kept": {func(s *lockstep.Settings) {
			s.SessionCookieName, s.SessionCookieSecure, s.SessionCookieDomain = "__Secure-a", true, "shop.test"
		}, nil},
		"__Host- broken in every way": {func(s *lockstep.Settings) {
			s.CSRFCookieName, s.CSRFCookieDomain, s.CSRFCookiePath = "__Host-csrf", "shop.test", "/app"
		}, []string{
			`CSRF_COOKIE_NAME = "__Host-csrf": no browser stores a cookie of this name without Secure; set CSRF_COOKIE_SECURE = True, or use another name`,
			`CSRF_COOKIE_NAME = "__Host-csrf": no browser stores a __Host- cookie without Path=/; set CSRF_COOKIE_PATH = "/", or use another name`,
			`CSRF_COOKIE_NAME = "__Host-csrf": no browser stores a __Host- cookie that has a Domain; set CSRF_COOKIE_DOMAIN = None, or use another name`,
		}},
		"one name": {func(s *lockstep.Settings) { s.CSRFCookieName = "sessionid" }, []string{
			`CSRF_COOKIE_NAME = "sessionid": is the name of the session cookie too, so each overwrites the other; give the two cookies different names`,
		}},
		"one name, one cookie": {func(s *lockstep.Settings) { s.CSRFCookieName, s.CSRFUseSessions = "sessionid", true }, nil},
	} {
		t.Run(name, test.run)
	}
}

func TestSettingsCookieAttributes(t *testing.T) {
	const sameSite = `is not a value of SameSite; write "Lax", "Strict" or "None", or False for no attribute`
	runSettingsItems(t, "SESSION_COOKIE_SAMESITE", func(s *lockstep.Settings, v string) { s.SessionCookieSameSite = v }, []settingsItemTest{
		{"", ""},
		{"lax", ""},
		{"Strict", ""},
		{"None", `browsers refuse SameSite=None without Secure; set SESSION_COOKIE_SECURE = True, or write "Lax"`},
		{"False", sameSite},
	})
	runSettingsItems(t, "CSRF_COOKIE_DOMAIN", func(s *lockstep.Settings, v string) { s.CSRFCookieDomain = v }, []settingsItemTest{
		{"", ""},
		{".shop.test", ""},
		{"Shop.test", ""},
		{".", "names no host"},
		{"https://shop.test", `has a scheme; write "shop.test"`},
		{".shop.test:80", `has a port; write "shop.test"`},
		{"*.shop.test", `has an asterisk where a leading dot stands for all subdomains; write "shop.test"`},
		{"a;b", "has a character that Django takes in no host name"},
	})
	runSettingsItems(t, "CSRF_COOKIE_PATH", func(s *lockstep.Settings, v string) { s.CSRFCookiePath = v }, []settingsItemTest{
		{"", ""},
		{"/app", ""},
		{" /", ""},
		{"app", `browsers ignore a Path that does not begin with a slash; write "/app"`},
		{"/a;b", "holds a character that ends the attribute; take it out or percent-encode it"},
		{"/a\r\n", "holds a character that ends the attribute; take it out or percent-encode it"},
	})
	settingsTest{func(s *lockstep.Settings) { s.SessionCookieSameSite, s.SessionCookieSecure = "None", true }, nil}.run(t)
}

func TestSettingsNumbers(t *testing.T) {
	for name, test := range map[string]settingsTest{
		"refused": {func(s *lockstep.Settings) {
			s.SecureHSTSSeconds, s.SessionCookieAge, s.CSRFCookieAge = -1, 0, -5
		}, []string{
			"SECURE_HSTS_SECONDS = -1: browsers ignore a negative max-age; write 0 to send no header",
			"SESSION_COOKIE_AGE = 0: no session would last until the next request; write a number of seconds above 0, such as 1209600",
			"CSRF_COOKIE_AGE = -5: browsers would delete the cookie at once; write a number of seconds above 0, or None",
		}},
		"taken": {func(s *lockstep.Settings) { s.SecureHSTSSeconds, s.SessionCookieAge, s.CSRFCookieAge = 0, 1, 0 }, nil},
	} {
		t.Run(name, test.run)
	}
}

func TestSettingsTrustedOrigins(t *testing.T) {
	set := func(s *lockstep.Settings, origin string) { s.CSRFTrustedOrigins = []string{origin} }
	const nobody = `is not the origin of any site; write "https://pay.shop.test", or "https://*.shop.test" for all below a domain`
	runSettingsItems(t, "CSRF_TRUSTED_ORIGINS", set, []settingsItemTest{
		{"https://shop.test", ""},
		{"http://shop.test:8080", ""},
		{"https://*.shop.test:8443", ""},
		{"https://[::1]", ""},
		{"app://shop", ""},
		{"shop.test", `has no scheme; write "https://shop.test"`},
		{"*.shop.test", `has no scheme; write "https://*.shop.test"`},
		{"null", "is what pages of any origin can send; leave it out"},
		{"https://Shop.test", `never matches, as browsers send origins in lower case; write "https://shop.test"`},
		{"https://shop.test/", `never matches, as an origin has no path; write "https://shop.test"`},
		{"https://shop.test:443", `never matches, as browsers leave the default port out; write "https://shop.test"`},
		{"http://shop.test:80", `never matches, as browsers leave the default port out; write "http://shop.test"`},
		{"https://*", nobody},
		{"https://*shop.test", nobody},
		{"https://", nobody},
	})
	inDjango32 := func(s *lockstep.Settings, origin string) { s.DjangoVersion = "3.2"; set(s, origin) }
	runSettingsItems(t, "CSRF_TRUSTED_ORIGINS", inDjango32, []settingsItemTest{
		{"shop.test", ""},
		{".shop.test", ""},
		{"shop.test:8443", ""},
		{"https://*.shop.test", `never matches in Django 3.2, where entries have no scheme; write ".shop.test"`},
		{"*.shop.test", `never matches in Django 3.2, where a leading dot stands for all subdomains; write ".shop.test"`},
	})
}

func TestSettingsVersions(t *testing.T) {
	const unknown = `not a version of Django that Lockstep knows; write one of 3.2, 4.2, 5.2, 6.0, 6.1, or a patch of one, such as "5.2.14"`
	set := func(s *lockstep.Settings, version string) { s.DjangoVersion = version }
	runSettingsItems(t, "DJANGO_VERSION", set, []settingsItemTest{
		{"3.2", ""},
		{"5.2.14", ""},
		{"6.1.0", ""},
		{"", unknown},
		{"5", unknown},
		{"5.1", unknown},
		{"5.2.", unknown},
		{"5.2.x", unknown},
		{"5.2.014", unknown},
		{"5.2.1.1", unknown},
		{"5.2.99999999999", unknown},
		{"v5.2", unknown},
	})
	for _, test := range []struct {
		version                         string
		checksOrigin, varies, freshSalt bool
	}{
		{"3.2", false, false, false},
		{"4.2", true, false, false},
		{"5.2.13", true, false, false},
		{"5.2.14", true, true, false},
		{"5.2.15", true, true, true},
		{"5.2", true, true, true},
		{"6.0.0", true, false, false},
		{"6.0.5", true, true, false},
		{"6.0.6", true, true, true},
		{"6.1.0", true, true, true},
		{"6.1", true, true, true},
	} {
		s := settingsWithKey()
		s.DjangoVersion = test.version
		got, err := lockstep.CheckSettings(s)
		if err != nil || got.ChecksOrigin != test.checksOrigin || got.VariesOnSavedSession != test.varies || got.NewSalt != test.freshSalt {
			t.Errorf("%s: got %v %v %v, %v", test.version, got.ChecksOrigin, got.VariesOnSavedSession, got.NewSalt, err)
		}
	}
}

func TestSettingsKeysAreNotPrinted(t *testing.T) {
	settingsTest{func(s *lockstep.Settings) {
		s.SecretKey = ""
		s.SecretKeyFallbacks = []string{"a former key", ""}
	}, []string{
		"SECRET_KEY: must not be empty; set it to 50 or more random characters and keep them secret",
		"SECRET_KEY_FALLBACKS: an empty key would let anybody sign; take it out of the list",
	}}.run(t)
}

func TestSettingsThatAreZero(t *testing.T) {
	_, err := lockstep.CheckSettings(lockstep.Settings{})
	for _, setting := range []string{"SECRET_KEY", "DJANGO_VERSION", "SESSION_COOKIE_NAME", "SESSION_ENGINE"} {
		if err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s is not named in %v", setting, err)
		}
	}
	var first *lockstep.SettingError
	if !errors.As(err, &first) || first.Setting != "DJANGO_VERSION" {
		t.Errorf("got %v, want a SettingError of DJANGO_VERSION first", first)
	}
}

func TestSettingsCheckedForm(t *testing.T) {
	s := settingsWithKey()
	s.AllowedHosts = []string{"SHOP.test", ".Below.test"}
	s.SecureRedirectExempt = []string{`^health$`}
	s.SecureProxySSLHeader = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}
	s.TrustedProxies = []string{"10.0.0.0/8", "::ffff:192.0.2.1"}
	s.SecureHSTSSeconds, s.SecureHSTSPreload, s.SecureHSTSIncludeSubdomains = 60, true, true
	s.SecureReferrerPolicy = []string{"no-referrer", "same-origin"}
	s.XFrameOptions = "sameorigin"
	got, err := lockstep.CheckSettings(s)
	if err != nil {
		t.Fatal(err)
	}
	s.AllowedHosts[0] = "changed afterwards"
	for _, test := range []struct{ name, got, want string }{
		{"Settings.AllowedHosts", got.Settings.AllowedHosts[0], "SHOP.test"},
		{"hosts", strings.Join(got.Hosts, " "), "shop.test .below.test"},
		{"proxyHeader", got.ProxyHeader + ": " + got.ProxyValue, "X-Forwarded-Proto: https"},
		{"proxies", fmt.Sprint(got.Proxies), fmt.Sprint([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")})},
		{"csrfHeader", got.CSRFHeader, "X-Csrftoken"},
		{"hsts", got.HSTS, "max-age=60; includeSubDomains; preload"},
		{"referrerPolicy", got.ReferrerPolicy, "no-referrer,same-origin"},
		{"frameOptions", got.FrameOptions, "SAMEORIGIN"},
	} {
		if test.got != test.want {
			t.Errorf("%s is %q, want %q", test.name, test.got, test.want)
		}
	}
	if !got.Exempt[0].MatchString("health") || got.Exempt[0].MatchString("health\n") {
		t.Error("$ is to be the end of the path alone")
	}
}

func TestSettingsDebugAllowsLocalhost(t *testing.T) {
	s := settingsWithKey()
	s.Debug = true
	got, err := lockstep.CheckSettings(s)
	if want := []string{".localhost", "127.0.0.1", "[::1]"}; err != nil || !slices.Equal(got.Hosts, want) {
		t.Errorf("got %v, %v, want %v", got.Hosts, err, want)
	}
}

// What a hint says to write in quotes must pass itself.
var settingsHint = regexp.MustCompile(`; write ("(?:[^"\\]|\\.)*")$`)

func FuzzHostHints(f *testing.F) {
	for _, seed := range []string{"http://*.x.test:80/", "::1", "a.:", ".*.", "[::1]:1", ".::1", "*.*.a", "://:80", "ÿ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		s := settingsWithKey()
		s.AllowedHosts = []string{pattern}
		_, err := lockstep.CheckSettings(s)
		if err == nil {
			return
		}
		if hint := settingsHint.FindStringSubmatch(err.Error()); hint != nil {
			if _, scanErr := fmt.Sscanf(hint[1], "%q", &s.AllowedHosts[0]); scanErr != nil {
				t.Fatal(scanErr)
			}
			if _, again := lockstep.CheckSettings(s); again != nil {
				t.Errorf("%v, but then %v", err, again)
			}
		}
	})
}

func FuzzRedirectExempt(f *testing.F) {
	for _, seed := range []string{"^/a", "(^/)", "^(?:/|/b)", "(?=a)", `\Z`, "^()/", "^/{0}a", "^$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		s := settingsWithKey()
		s.SecureRedirectExempt = []string{pattern}
		_, err := lockstep.CheckSettings(s)
		re, compileErr := regexp.Compile(pattern)
		if compileErr != nil {
			if err == nil {
				t.Errorf("%q is taken: %v", pattern, compileErr)
			}
			return
		}
		if err != nil && pattern != "" && (re.MatchString("") || re.MatchString("health") || re.MatchString("a/health")) {
			t.Errorf("%q matches, but: %v", pattern, err)
		}
	})
}

// TestSettingsPrintNoSecrets holds that no way of printing shows a key.
func TestSettingsPrintNoSecrets(t *testing.T) {
	s := lockstep.Recommended("the-key-that-nobody-sees", "shop.test")
	s.SecretKeyFallbacks = []string{"the-key-before-it"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "settings", s)
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), fmt.Sprintf("%v", &s), log.String()} {
		if strings.Contains(text, "the-key") || !strings.Contains(text, "SECURE_SSL_REDIRECT=true") {
			t.Errorf("printed as %s", text)
		}
	}
}

func TestSettingsAgesEnd(t *testing.T) {
	s := lockstep.Recommended("the-key-that-nobody-sees", "shop.test")
	s.SessionCookieAge, s.CSRFCookieAge = 10_000_000_000, 10_000_000_000
	_, err := lockstep.New(s, lockstep.Options{})
	if err == nil || !strings.Contains(err.Error(), "SESSION_COOKIE_AGE") || !strings.Contains(err.Error(), "CSRF_COOKIE_AGE") {
		t.Errorf("New: %v", err)
	}
}
