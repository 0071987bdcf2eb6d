package lockstep

import (
	"net/netip"
	"regexp"
)

// CheckedSettings is what the tests look at in checked.
type CheckedSettings struct {
	Settings                                    Settings
	Hosts                                       []string
	Exempt                                      []*regexp.Regexp
	Proxies                                     []netip.Prefix
	ProxyHeader, ProxyValue, CSRFHeader         string
	HSTS, ReferrerPolicy, FrameOptions          string
	ChecksOrigin, VariesOnSavedSession, NewSalt bool
}

// CheckSettings runs the check of New alone.
func CheckSettings(s Settings) (CheckedSettings, error) {
	c, err := s.check()
	if err != nil {
		return CheckedSettings{}, err
	}
	return CheckedSettings{
		Settings: c.Settings, Hosts: c.hosts, Exempt: c.exempt, Proxies: c.proxies,
		ProxyHeader: c.proxyHeader, ProxyValue: c.proxyValue, CSRFHeader: c.csrfHeader,
		HSTS: c.hsts, ReferrerPolicy: c.referrerPolicy, FrameOptions: c.frameOptions,
		ChecksOrigin:         c.version.checksOrigin(),
		VariesOnSavedSession: c.version.fixedIn(version{5, 2, 14}, version{6, 0, 5}),
		NewSalt:              c.version.signsCookiesAnew(),
	}, nil
}
