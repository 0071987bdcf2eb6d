package lockstep

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// A setting is refused when it cannot work in any browser or on any request, or when it is
// dangerous beyond doubt. What only weakens a site is allowed: Django's own defaults do.

// checked is Settings that have been found good, with everything worked out that a request
// needs. Nothing in it changes afterwards.
type checked struct {
	Settings
	version        version          // see version.atLeast and version.fixedIn
	hosts          []string         // ALLOWED_HOSTS in lower case; DEBUG with none gives Django's names for localhost
	redirectLimit  int              // characters of the longest Location that Django redirects to; 0 is none
	exempt         []*regexp.Regexp // searched for in the path without its leading slashes
	proxies        []netip.Prefix   // TRUSTED_PROXIES, to be compared with the unmapped address of the peer
	proxyHeader    string           // the header of SECURE_PROXY_SSL_HEADER, as "X-Forwarded-Proto"; "" is None
	proxyValue     string           // and the value that says secure
	csrfHeader     string           // the header of CSRF_HEADER_NAME, as "X-Csrftoken"
	csrfOrigins    []trustedOrigin  // CSRF_TRUSTED_ORIGINS
	csrfExempt     []*http.ServeMux // INSECURE_CSRF_EXEMPT, one pattern each; see exemptFromCSRF
	hsts           string           // Strict-Transport-Security; "" is none
	referrerPolicy string           // Referrer-Policy; "" is none
	frameOptions   string           // X-Frame-Options; "" is none
}

// localHosts is what DEBUG allows when ALLOWED_HOSTS is empty (django/http/request.py, get_host).
var localHosts = []string{".localhost", "127.0.0.1", "[::1]"}

// check returns the checked form of a copy of s, or every mistake in it, each a *SettingError,
// joined.
func (s Settings) check() (*checked, error) {
	c := &checked{Settings: s.clone()}
	m := new(mistakes)
	c.checkVersion(m)
	c.checkKeys(m)
	c.checkHosts(m)
	c.checkRedirect(m)
	c.checkProxies(m)
	c.checkHeaders(m)
	c.checkSession(m)
	c.checkCSRF(m)
	if len(m.errs) > 0 {
		return nil, errors.Join(m.errs...)
	}
	return c, nil
}

// mistakes gathers what is refused.
type mistakes struct{ errs []error }

// add refuses value, written as Django would write it. A missing or secret value is "".
func (m *mistakes) add(setting, value, problem, hint string) {
	m.errs = append(m.errs, &SettingError{Setting: setting, Value: value, Problem: problem, Hint: hint})
}

func (c *checked) checkVersion(m *mistakes) {
	v, ok := parseVersion(c.DjangoVersion)
	if !ok {
		m.add("DJANGO_VERSION", strconv.Quote(c.DjangoVersion), "not a version of Django that Lockstep knows",
			"write one of "+strings.Join(knownSeries, ", ")+", or a patch of one, such as \"5.2.14\"")
		v, _ = parseVersion(latestDjango)
	}
	c.version = v
	c.redirectLimit = v.redirectLimit()
}

// since refuses a setting that came with a later Django than DJANGO_VERSION. That Django ignores it in
// silence, so that whoever set it believes in something that is not there.
func (c *checked) since(m *mistakes, major, minor int, setting string) {
	if !c.version.atLeast(major, minor, 0) {
		m.add(setting, "", fmt.Sprintf("Django %d.%d does not have it, it came with %d.%d", c.version.major, c.version.minor, major, minor),
			"take it out, or set DJANGO_VERSION to the Django that is beside this site")
	}
}

func (c *checked) checkKeys(m *mistakes) {
	if c.SecretKey == "" {
		m.add("SECRET_KEY", "", "must not be empty", "set it to 50 or more random characters and keep them secret")
	}
	if len(c.SecretKeyFallbacks) > 0 {
		c.since(m, 4, 1, "SECRET_KEY_FALLBACKS")
	}
	if slices.Contains(c.SecretKeyFallbacks, "") {
		m.add("SECRET_KEY_FALLBACKS", "", "an empty key would let anybody sign", "take it out of the list")
	}
}

func (c *checked) checkHosts(m *mistakes) {
	for _, pattern := range c.AllowedHosts {
		if problem, hint := hostPatternProblem(pattern); problem != "" {
			m.add("ALLOWED_HOSTS", strconv.Quote(pattern), problem, hint)
		}
		c.hosts = append(c.hosts, strings.ToLower(pattern))
	}
	if c.Debug && len(c.hosts) == 0 {
		c.hosts = localHosts
	}
}

// What Django takes as the domain of a Host header, and with a port (host_validation_re of
// django/http/request.py). Whatever else a pattern holds is never met.
var (
	domainForm  = regexp.MustCompile(`^([a-z0-9.-]+|\[[a-f0-9]*:[a-f0-9.:]+\])$`)
	portedForm  = regexp.MustCompile(`^([^:/]+|\[[^/]*\]):[0-9]*$`)
	schemedForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
)

// hostPatternProblem says why an entry of ALLOWED_HOSTS never matches, or "".
func hostPatternProblem(pattern string) (problem, hint string) {
	if pattern == "*" {
		return "", ""
	}
	host, dotted := strings.CutPrefix(strings.ToLower(pattern), ".")
	problem, better := hostProblem(host)
	if problem == "" {
		return "", ""
	}
	if better = meantHost(better); better != "" && dotted {
		better = "." + strings.TrimPrefix(better, ".")
	}
	return problem + ", so it never matches", hintTo(better)
}

// hintTo says to write text, which is "" where nobody can tell what was meant.
func hintTo(text string) string {
	if text == "" {
		return ""
	}
	return "write " + strconv.Quote(text)
}

// hostProblem says why host, in lower case, is never the domain of a request, or "", and what to
// go on with in looking for what was meant.
func hostProblem(host string) (problem, better string) {
	bare, _, hasPath := strings.Cut(schemedForm.ReplaceAllString(host, ""), "/")
	switch {
	case strings.Trim(host, ".") == "":
		return "names no host", ""
	case strings.TrimSpace(host) != host:
		return "has spaces around it", strings.TrimSpace(host)
	case schemedForm.MatchString(host):
		return "has a scheme", bare
	case hasPath:
		return "has a path", bare
	case isIPv6(host):
		return "is an IPv6 address without its brackets", "[" + host + "]"
	case portedForm.MatchString(host):
		return "has a port", withoutPort(host)
	case strings.HasPrefix(host, "*."):
		return "has an asterisk where a leading dot stands for all subdomains", host[1:]
	case strings.HasSuffix(host, "."):
		return "ends in a dot, which is taken off every Host", strings.TrimRight(host, ".")
	case !isASCII(host):
		return "is not ASCII, and browsers send such names in Punycode (xn--)", ""
	case !domainForm.MatchString(host):
		return "has a character that Django takes in no host name", ""
	}
	return "", ""
}

// meantHost mends one thing after the other until host has no problem; "" if that ends nowhere.
func meantHost(host string) string {
	name, dotted := strings.CutPrefix(host, ".")
	problem, better := hostProblem(name)
	switch {
	case problem == "":
		return host
	case better == "":
		return ""
	case dotted:
		return meantHost("." + strings.TrimPrefix(better, "."))
	}
	return meantHost(better)
}

func withoutPort(host string) string {
	if portedForm.MatchString(host) {
		return host[:strings.LastIndexByte(host, ':')]
	}
	return host
}

func isIPv6(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is6()
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// A host for a Location, which need not be one that Django would take in a request.
var locationForm = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[A-Fa-f0-9]*:[A-Fa-f0-9.:]+\])(:[0-9]{1,5})?$`)

func (c *checked) checkRedirect(m *mistakes) {
	if c.SecureSSLHost != "" && !locationForm.MatchString(c.SecureSSLHost) {
		m.add("SECURE_SSL_HOST", strconv.Quote(c.SecureSSLHost), "is not a host",
			"write a host name alone, or with a port, as \"shop.test:8443\"")
	}
	for _, pattern := range c.SecureRedirectExempt {
		re, err := compileExempt(pattern)
		if err != nil {
			m.errs = append(m.errs, err)
			continue
		}
		c.exempt = append(c.exempt, re)
	}
}

// compileExempt compiles a pattern of SECURE_REDIRECT_EXEMPT; a pattern that matches everything
// or nothing is a mistake.
func compileExempt(pattern string) (*regexp.Regexp, error) {
	refuse := func(problem, hint string) error {
		return &SettingError{Setting: "SECURE_REDIRECT_EXEMPT", Value: strconv.Quote(pattern), Problem: problem, Hint: hint}
	}
	if pattern == "" {
		return nil, refuse("matches every path", "set SECURE_SSL_REDIRECT = False if nothing is to be redirected")
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, refuse(regexpProblem(pattern, err))
	}
	if tree, err := syntax.Parse(pattern, syntax.Perl); err == nil && wantsLeadingSlash(tree) {
		hint := "leave the leading slash out"
		if rest, found := strings.CutPrefix(pattern, "^/"); found {
			hint = hintTo("^" + rest)
		}
		return nil, refuse("never matches, as it is searched for in the path without its leading slash", hint)
	}
	return re, nil
}

// wantsLeadingSlash reports whether re only matches what begins with a slash. A pattern such as
// "/health" may do so in the middle of a path, so only those tied to the start count.
func wantsLeadingSlash(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCapture:
		return wantsLeadingSlash(re.Sub[0])
	case syntax.OpAlternate:
		return all(re.Sub, wantsLeadingSlash)
	case syntax.OpConcat:
		return re.Sub[0].Op == syntax.OpBeginText && beginsWithSlash(re.Sub[1])
	default:
		return false
	}
}

func beginsWithSlash(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return re.Rune[0] == '/'
	case syntax.OpCapture, syntax.OpConcat, syntax.OpPlus:
		return beginsWithSlash(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min > 0 && beginsWithSlash(re.Sub[0])
	case syntax.OpAlternate:
		return all(re.Sub, beginsWithSlash)
	default:
		return false
	}
}

func all(res []*syntax.Regexp, holds func(*syntax.Regexp) bool) bool {
	return !slices.ContainsFunc(res, func(re *syntax.Regexp) bool { return !holds(re) })
}

// lookarounds are the openings of what Python's expressions have and RE2 leaves out, since it
// cannot be matched in linear time.
var lookarounds = []string{"(?=", "(?!", "(?<=", "(?<!"}

func regexpProblem(pattern string, err error) (problem, hint string) {
	for _, opening := range lookarounds {
		if strings.Contains(pattern, opening) {
			return fmt.Sprintf("lookaround %q is not supported", opening), "write one pattern for every path that is exempt"
		}
	}
	var bad *syntax.Error
	if !errors.As(err, &bad) {
		return err.Error(), ""
	}
	switch {
	case bad.Code == syntax.ErrInvalidEscape && bad.Expr == `\Z`:
		return `\Z is not supported`, "write $, which here is the end of the path alone"
	case bad.Code == syntax.ErrInvalidEscape && len(bad.Expr) == 2 && bad.Expr[1] >= '1' && bad.Expr[1] <= '9':
		return fmt.Sprintf("backreference %s is not supported", bad.Expr), "write the text out"
	}
	return fmt.Sprintf("is not a regular expression that Go's RE2 reads: %s: %q", bad.Code, bad.Expr), ""
}

func (c *checked) checkProxies(m *mistakes) {
	for _, entry := range c.TrustedProxies {
		prefix, problem, hint := parseProxy(entry)
		if problem != "" {
			m.add("TRUSTED_PROXIES", strconv.Quote(entry), problem, hint)
		}
		c.proxies = append(c.proxies, prefix)
	}
	if c.InsecureTrustAnyProxy && len(c.TrustedProxies) > 0 {
		m.add("INSECURE_TRUST_ANY_PROXY", "True", "makes TRUSTED_PROXIES meaningless", "take one of the two out")
	}
	c.checkProxyHeader(m)
	c.checkTrust(m)
}

// parseProxy reads an address or a CIDR prefix.
func parseProxy(entry string) (prefix netip.Prefix, problem, hint string) {
	if addr, err := netip.ParseAddr(entry); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), "", ""
	}
	prefix, err := netip.ParsePrefix(entry)
	switch {
	case err != nil:
		return prefix, "is neither an address nor a CIDR prefix", "write it as \"10.0.0.0/8\" or \"2001:db8::/32\""
	case prefix.Addr().Is4In6():
		return prefix, "is an IPv4 prefix in IPv6 spelling", "write it as IPv4, which holds for both spellings of a peer"
	case prefix.Bits() == 0:
		return prefix, "trusts every peer", "name the proxies, or set INSECURE_TRUST_ANY_PROXY = True"
	case prefix != prefix.Masked():
		return prefix, "has bits set behind its prefix length", hintTo(prefix.Masked().String())
	}
	return prefix, "", ""
}

const proxyHeaderExample = `("HTTP_X_FORWARDED_PROTO", "https")`

func (c *checked) checkProxyHeader(m *mistakes) {
	if c.SecureProxySSLHeader == [2]string{} {
		return
	}
	name, value := c.SecureProxySSLHeader[0], c.SecureProxySSLHeader[1]
	written := fmt.Sprintf("(%q, %q)", name, value)
	if problem, hint := metaNameProblem(name); problem != "" {
		m.add("SECURE_PROXY_SSL_HEADER", written, problem, hint)
	}
	switch {
	case value == "":
		m.add("SECURE_PROXY_SSL_HEADER", written, "an empty header would say secure", "write "+proxyHeaderExample)
	case strings.EqualFold(strings.TrimSpace(value), "http"):
		m.add("SECURE_PROXY_SSL_HEADER", written, "would take http for secure and https for insecure", "write "+proxyHeaderExample)
	case strings.Contains(value, ",") || strings.TrimSpace(value) != value:
		m.add("SECURE_PROXY_SSL_HEADER", written, "never matches, as one element without spaces is compared", "write "+proxyHeaderExample)
	}
	c.proxyHeader, c.proxyValue = headerOfMeta(name), value
}

var (
	metaForm     = regexp.MustCompile(`^HTTP_[A-Z0-9]+(_[A-Z0-9]+)*$`)
	variableForm = regexp.MustCompile(`^[A-Z0-9_]*$`)
)

// metaNameProblem says why name is not how Django's request.META calls a request header, or "".
func metaNameProblem(name string) (problem, hint string) {
	if metaForm.MatchString(name) {
		return "", ""
	}
	better := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if !strings.HasPrefix(better, "HTTP_") {
		better = "HTTP_" + better
	}
	if variableForm.MatchString(name) || !metaForm.MatchString(better) {
		return "names no header, which begin with HTTP_ in request.META", `write it as "HTTP_X_FORWARDED_PROTO"`
	}
	return "never matches, as request.META spells header names differently", hintTo(better)
}

// headerOfMeta turns "HTTP_X_FORWARDED_PROTO" into "X-Forwarded-Proto".
func headerOfMeta(name string) string {
	words := strings.Split(strings.TrimPrefix(name, "HTTP_"), "_")
	for i, word := range words {
		if word != "" {
			words[i] = word[:1] + strings.ToLower(word[1:])
		}
	}
	return strings.Join(words, "-")
}

// checkTrust refuses to believe forwarding headers from whoever sends them.
func (c *checked) checkTrust(m *mistakes) {
	if c.InsecureTrustAnyProxy || len(c.TrustedProxies) > 0 {
		return
	}
	const problem = "needs TRUSTED_PROXIES, or any client could send the header itself"
	const hint = "set TRUSTED_PROXIES to the addresses of the proxies, or INSECURE_TRUST_ANY_PROXY = True"
	if c.SecureProxySSLHeader != [2]string{} {
		m.add("SECURE_PROXY_SSL_HEADER", fmt.Sprintf("(%q, %q)", c.SecureProxySSLHeader[0], c.SecureProxySSLHeader[1]), problem, hint)
	}
	if c.UseXForwardedHost {
		m.add("USE_X_FORWARDED_HOST", "True", problem, hint)
	}
	if c.UseXForwardedPort {
		m.add("USE_X_FORWARDED_PORT", "True", problem, hint)
	}
}

// The values that browsers know (django/core/checks/security/base.py).
var (
	referrerPolicies = []string{
		"no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin",
		"same-origin", "strict-origin", "strict-origin-when-cross-origin", "unsafe-url",
	}
	resourcePolicies = []string{"same-origin", "same-site", "cross-origin"}

	openerPolicies = []string{"same-origin", "same-origin-allow-popups", "unsafe-none"}
	frameOptions   = []string{"DENY", "SAMEORIGIN"}
)

func (c *checked) checkHeaders(m *mistakes) {
	if c.SecureHSTSSeconds < 0 {
		m.add("SECURE_HSTS_SECONDS", strconv.Itoa(c.SecureHSTSSeconds), "browsers ignore a negative max-age", "write 0 to send no header")
	}
	c.hsts = c.hstsHeader()
	for _, policy := range c.SecureReferrerPolicy {
		m.oneOf("SECURE_REFERRER_POLICY", policy, referrerPolicies)
	}
	c.referrerPolicy = strings.Join(c.SecureReferrerPolicy, ",")
	if c.SecureCrossOriginOpenerPolicy != "" {
		m.oneOf("SECURE_CROSS_ORIGIN_OPENER_POLICY", c.SecureCrossOriginOpenerPolicy, openerPolicies)
	}
	if c.SecureCrossOriginResourcePolicy != "" {
		m.oneOf("SECURE_CROSS_ORIGIN_RESOURCE_POLICY", c.SecureCrossOriginResourcePolicy, resourcePolicies)
	}
	c.checkPermissions(m)
	c.checkCSP(m, "SECURE_CSP", c.SecureCSP)
	c.checkCSP(m, "SECURE_CSP_REPORT_ONLY", c.SecureCSPReportOnly)
	c.frameOptions = strings.ToUpper(c.XFrameOptions)
	if c.frameOptions != "" && !slices.Contains(frameOptions, c.frameOptions) {
		m.oneOf("X_FRAME_OPTIONS", c.XFrameOptions, frameOptions)
	}
}

// permissionForm is an item of Permissions-Policy: a feature, and the origins that may use it (RFC 8941,
// a dictionary of inner lists of tokens and strings).
var permissionForm = regexp.MustCompile(`^[a-z][a-z0-9-]*=(\*|self|\((self|src|\*|"https?://[^"\\ ]+")?( (self|src|\*|"https?://[^"\\ ]+"))*\))$`)

func (c *checked) checkPermissions(m *mistakes) {
	seen := map[string]bool{}
	for _, item := range c.SecurePermissionsPolicy {
		feature, _, _ := strings.Cut(item, "=")
		switch {
		case !permissionForm.MatchString(item):
			m.add("SECURE_PERMISSIONS_POLICY", strconv.Quote(item), "is not an item of the header",
				`write "camera=()" for nobody, "camera=(self)", "camera=(self \"https://pay.shop.test\")", or "camera=*"`)
		case seen[feature]:
			m.add("SECURE_PERMISSIONS_POLICY", strconv.Quote(item), "is about a feature that another item is about, of which browsers take the last", "take one of the two out")
		}
		seen[feature] = true
	}
}

// hstsHeader is the value of Strict-Transport-Security, its directives in Django's order.
func (c *checked) hstsHeader() string {
	if c.SecureHSTSSeconds <= 0 {
		return ""
	}
	value := "max-age=" + strconv.Itoa(c.SecureHSTSSeconds)
	if c.SecureHSTSIncludeSubdomains {
		value += "; includeSubDomains"
	}
	if c.SecureHSTSPreload {
		value += "; preload"
	}
	return value
}

func (m *mistakes) oneOf(setting, value string, known []string) {
	if !slices.Contains(known, value) {
		m.add(setting, strconv.Quote(value), "is not a value that is known", "write one of "+strings.Join(known, ", "))
	}
}

// engines are Django's session engines.
var engines = []string{
	databaseEngine,
	"django.contrib.sessions.backends.cache",
	"django.contrib.sessions.backends.cached_db",
	"django.contrib.sessions.backends.file",
	"django.contrib.sessions.backends.signed_cookies",
}

func (c *checked) checkSession(m *mistakes) {
	m.oneOf("SESSION_ENGINE", c.SessionEngine, engines)
	if c.SessionCookieAge <= 0 {
		m.add("SESSION_COOKIE_AGE", strconv.Itoa(c.SessionCookieAge), "no session would last until the next request",
			"write a number of seconds above 0, such as "+strconv.Itoa(twoWeeks))
	}
	if c.SessionCookieAge > longestAge {
		m.add("SESSION_COOKIE_AGE", strconv.Itoa(c.SessionCookieAge), "no date is that far away", "write at most "+strconv.Itoa(longestAge))
	}
	c.sessionCookie().check(m)
}

// longestAge is about 63 years, in seconds. Beyond it dates and durations overflow somewhere, and
// for ever becomes now; browsers keep no cookie longer than 400 days.
const longestAge = 2_000_000_000

func (c *checked) checkCSRF(m *mistakes) {
	if c.CSRFCookieAge < 0 {
		m.add("CSRF_COOKIE_AGE", strconv.Itoa(c.CSRFCookieAge), "browsers would delete the cookie at once",
			"write a number of seconds above 0, or None")
	}
	if c.CSRFCookieAge > longestAge {
		m.add("CSRF_COOKIE_AGE", strconv.Itoa(c.CSRFCookieAge), "no date is that far away", "write at most "+strconv.Itoa(longestAge))
	}
	if problem, hint := metaNameProblem(c.CSRFHeaderName); problem != "" {
		m.add("CSRF_HEADER_NAME", strconv.Quote(c.CSRFHeaderName), problem, hint)
	}
	c.csrfHeader = headerOfMeta(c.CSRFHeaderName)
	c.csrfCookie().check(m)
	if c.CSRFCookieName == c.SessionCookieName && !c.CSRFUseSessions {
		m.add("CSRF_COOKIE_NAME", strconv.Quote(c.CSRFCookieName), "is the name of the session cookie too, so each overwrites the other",
			"give the two cookies different names")
	}
	c.checkTrustedOrigins(m)
	c.parseTrustedOrigins()
	c.checkCSRFExempt(m)
}

// exemptHandler marks what INSECURE_CSRF_EXEMPT matches; a ServeMux answers some other requests with
// handlers of its own.
var exemptHandler http.Handler = new(exempted)

// An exempted serves nothing. It has a size, so that no other handler is at its address.
type exempted struct{ _ byte }

// ServeHTTP implements [http.Handler].
func (*exempted) ServeHTTP(http.ResponseWriter, *http.Request) {}

func (c *checked) checkCSRFExempt(m *mistakes) {
	for _, pattern := range c.InsecureCSRFExempt {
		mux, err := exemptMux(pattern)
		if err != nil {
			m.add("INSECURE_CSRF_EXEMPT", strconv.Quote(pattern), err.Error(), "write a pattern of http.ServeMux, such as \"POST /hooks/{name}\"")
			continue
		}
		c.csrfExempt = append(c.csrfExempt, mux)
	}
}

// exemptMux is a ServeMux for one pattern, so that patterns need not agree with each other.
func exemptMux(pattern string) (mux *http.ServeMux, err error) {
	defer func() {
		if problem := recover(); problem != nil { // how a ServeMux refuses a pattern
			err = errors.New("is not a pattern that http.ServeMux reads")
		}
	}()
	mux = http.NewServeMux()
	mux.Handle(pattern, exemptHandler)
	return mux, nil
}

// cookieSettings is the part that SESSION_COOKIE_* and CSRF_COOKIE_* have in common.
type cookieSettings struct {
	prefix             string // of the names of the settings
	name, path, domain string
	sameSite           string
	secure, httpOnly   bool
}

func (c *checked) sessionCookie() cookieSettings {
	return cookieSettings{
		prefix: "SESSION_COOKIE_", name: c.SessionCookieName, path: c.SessionCookiePath, domain: c.SessionCookieDomain,
		sameSite: c.SessionCookieSameSite, secure: c.SessionCookieSecure, httpOnly: c.SessionCookieHttpOnly,
	}
}

func (c *checked) csrfCookie() cookieSettings {
	return cookieSettings{
		prefix: "CSRF_COOKIE_", name: c.CSRFCookieName, path: c.CSRFCookiePath, domain: c.CSRFCookieDomain,
		sameSite: c.CSRFCookieSameSite, secure: c.CSRFCookieSecure, httpOnly: c.CSRFCookieHttpOnly,
	}
}

func (k cookieSettings) check(m *mistakes) {
	k.checkName(m)
	k.checkNamePrefix(m)
	k.checkSameSite(m)
	k.checkPath(m)
	k.checkDomain(m)
}

// The names that Python's http.cookies refuses, beside those with other characters.
var attributeWords = []string{
	"expires", "path", "comment", "domain", "max-age", "secure", "httponly", "version", "samesite",
}

var nameForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~:-]+$")

func (k cookieSettings) checkName(m *mistakes) {
	setting, written := k.prefix+"NAME", strconv.Quote(k.name)
	switch {
	case k.name == "":
		m.add(setting, "", "must not be empty", "write a name, such as \"sessionid\"")
	case !nameForm.MatchString(k.name):
		m.add(setting, written, "is not a name that Django can set", "write letters, digits and !#$%&'*+-.^_`|~: only")
	case slices.Contains(attributeWords, strings.ToLower(k.name)):
		m.add(setting, written, "is the name of an attribute, which Django refuses", "write another name")
	}
}

// checkNamePrefix refuses cookies that browsers refuse for their names (RFC 6265bis-22, section
// 5.7, steps 20 and 21).
func (k cookieSettings) checkNamePrefix(m *mistakes) {
	name := strings.ToLower(k.name)
	hostPrefix := strings.HasPrefix(name, "__host-")
	if !hostPrefix && !strings.HasPrefix(name, "__secure-") {
		return
	}
	setting, written := k.prefix+"NAME", strconv.Quote(k.name)
	if !k.secure {
		m.add(setting, written, "no browser stores a cookie of this name without Secure", "set "+k.prefix+"SECURE = True, or use another name")
	}
	if hostPrefix && k.path != "/" {
		m.add(setting, written, "no browser stores a __Host- cookie without Path=/", "set "+k.prefix+"PATH = \"/\", or use another name")
	}
	if hostPrefix && k.domain != "" {
		m.add(setting, written, "no browser stores a __Host- cookie that has a Domain", "set "+k.prefix+"DOMAIN = None, or use another name")
	}
}

func (k cookieSettings) checkSameSite(m *mistakes) {
	setting, written := k.prefix+"SAMESITE", strconv.Quote(k.sameSite)
	switch strings.ToLower(k.sameSite) {
	case "", "lax", "strict":
	case "none":
		if !k.secure {
			m.add(setting, written, "browsers refuse SameSite=None without Secure", "set "+k.prefix+"SECURE = True, or write \"Lax\"")
		}
	default:
		m.add(setting, written, "is not a value of SameSite", "write \"Lax\", \"Strict\" or \"None\", or False for no attribute")
	}
}

func (k cookieSettings) checkPath(m *mistakes) {
	setting, written := k.prefix+"PATH", strconv.Quote(k.path)
	switch {
	case k.path == "":
	case strings.IndexFunc(k.path, breaksAttribute) >= 0:
		m.add(setting, written, "holds a character that ends the attribute", "take it out or percent-encode it")
	case !strings.HasPrefix(strings.Trim(k.path, " "), "/"):
		m.add(setting, written, "browsers ignore a Path that does not begin with a slash", hintTo("/"+k.path))
	}
}

// breaksAttribute reports whether r cannot be in the value of a cookie's attribute.
func breaksAttribute(r rune) bool { return r == ';' || r < ' ' || r == 0x7f }

func (k cookieSettings) checkDomain(m *mistakes) {
	if k.domain == "" {
		return
	}
	problem, better := hostProblem(strings.ToLower(strings.TrimPrefix(k.domain, ".")))
	if problem != "" {
		better = strings.TrimPrefix(meantHost(better), ".")
		m.add(k.prefix+"DOMAIN", strconv.Quote(k.domain), problem, hintTo(better))
	}
}

func (c *checked) checkTrustedOrigins(m *mistakes) {
	problemOf := originProblem
	if !c.version.checksOrigin() {
		problemOf = refererHostProblem
	}
	for _, entry := range c.CSRFTrustedOrigins {
		if problem, hint := problemOf(entry); problem != "" {
			m.add("CSRF_TRUSTED_ORIGINS", strconv.Quote(entry), problem, hint)
		}
	}
}

// originProblem says why an entry, as Django has them from 4.0, equals no Origin that a browser
// sends, or "".
func originProblem(entry string) (problem, hint string) {
	scheme, host, found := strings.Cut(entry, "://")
	switch {
	case entry == "null":
		return "is what pages of any origin can send", "leave it out"
	case !found:
		return "has no scheme", hintTo("https://" + strings.TrimPrefix(entry, "//"))
	case entry != strings.ToLower(entry):
		return "never matches, as browsers send origins in lower case", hintTo(strings.ToLower(entry))
	case strings.Contains(host, "/"):
		bare, _, _ := strings.Cut(host, "/")
		return "never matches, as an origin has no path", hintTo(scheme + "://" + bare)
	case scheme == "https" && strings.HasSuffix(host, ":443") || scheme == "http" && strings.HasSuffix(host, ":80"):
		return "never matches, as browsers leave the default port out", hintTo(scheme + "://" + withoutPort(host))
	}
	return originHostProblem(host)
}

// refererHostProblem is originProblem for Django 3.2, where entries are hosts.
func refererHostProblem(entry string) (problem, hint string) {
	if _, host, found := strings.Cut(entry, "://"); found {
		return "never matches in Django 3.2, where entries have no scheme", hintTo(strings.TrimPrefix(host, "*"))
	}
	if host, starred := strings.CutPrefix(entry, "*."); starred {
		return "never matches in Django 3.2, where a leading dot stands for all subdomains", hintTo("." + host)
	}
	return originHostProblem(strings.TrimPrefix(strings.ToLower(entry), "."))
}

func originHostProblem(host string) (problem, hint string) {
	if domainForm.MatchString(strings.TrimPrefix(withoutPort(host), "*.")) {
		return "", ""
	}
	return "is not the origin of any site", "write \"https://pay.shop.test\", or \"https://*.shop.test\" for all below a domain"
}

// A version is a released Django. Behaviour that changed asks for it by number, as in
// c.version.atLeast(4, 1, 0), or by the patches that brought a repair to several series, as in
// c.version.fixedIn(version{5, 2, 14}, version{6, 0, 5}).
type version struct{ major, minor, patch int }

// newestPatch stands for the patch of a series that is named alone.
const newestPatch = 1<<31 - 1

// knownSeries are the series whose defaults and behaviour Lockstep has.
var knownSeries = []string{"3.2", "4.2", "5.2", "6.0", "6.1"}

// parseVersion reads "5.2" or "5.2.14"; other series are not known.
func parseVersion(text string) (v version, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 || !slices.Contains(knownSeries, parts[0]+"."+parts[1]) {
		return version{}, false
	}
	v = version{patch: newestPatch}
	v.major, _ = strconv.Atoi(parts[0])
	v.minor, _ = strconv.Atoi(parts[1])
	if len(parts) == 2 {
		return v, true
	}
	patch, err := strconv.ParseUint(parts[2], 10, 16)
	v.patch = int(patch)
	return v, err == nil && strconv.Itoa(v.patch) == parts[2]
}

// atLeast reports whether v is that version or a later one.
func (v version) atLeast(major, minor, patch int) bool { //nolint:unparam // a version has three numbers
	return !v.before(version{major, minor, patch})
}

func (v version) before(w version) bool {
	if v.major != w.major {
		return v.major < w.major
	}
	if v.minor != w.minor {
		return v.minor < w.minor
	}
	return v.patch < w.patch
}

// fixedIn reports whether v has a change that came with the given patches, one a series, oldest
// first: v is in one of the series at that patch or later, or in a series after the last.
func (v version) fixedIn(patches ...version) bool {
	for _, p := range patches {
		if v.major == p.major && v.minor == p.minor {
			return v.patch >= p.patch
		}
	}
	return !v.before(patches[len(patches)-1])
}

// checksOrigin reports whether the CSRF protection looks at Origin, whose trusted ones have a scheme
// then, and tells apart why it refuses a token.
func (v version) checksOrigin() bool { return v.atLeast(4, 0, 0) }

// masksCSRFCookie reports whether the CSRF cookie and session item hold the secret masked.
func (v version) masksCSRFCookie() bool { return !v.atLeast(4, 1, 0) }

// expiresAtMoments reports whether sessions can hold the moment at which they end; earlier versions
// fail on it.
func (v version) expiresAtMoments() bool { return v.atLeast(4, 1, 0) }

// redirectLimit is how many characters a Location may have (CVE-2025-64458); 0 is any number.
func (v version) redirectLimit() int {
	switch {
	case v.fixedIn(version{4, 2, 27}, version{5, 2, 9}):
		return 16384
	case v.fixedIn(version{4, 2, 26}, version{5, 2, 8}):
		return 2048
	}
	return 0
}

// signsCookiesAnew reports whether signed cookies have the salt of CVE-2026-6873, in which name
// and salt cannot be confused.
func (v version) signsCookiesAnew() bool {
	return v.fixedIn(version{5, 2, 15}, version{6, 0, 6})
}
