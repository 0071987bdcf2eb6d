package settings

import "slices"

// series are the series of Django whose settings Lockstep knows, oldest first.
var series = []string{"3.2", "4.2", "5.2", "6.0", "6.1"}

// A clue is a setting that tells of Django's version: it came with a version, or went with one.
type clue struct {
	name         string
	first, until string // of series: the first to have it, and the first not to have it any more; "" is open
}

// The settings that came and went (django/conf/global_settings.py and the release notes).
var clues = []clue{
	{"DEFAULT_HASHING_ALGORITHM", "", "4.2"},
	{"PASSWORD_RESET_TIMEOUT_DAYS", "", "4.2"},
	{"FILE_CHARSET", "", "4.2"},
	{"SECURE_BROWSER_XSS_FILTER", "", "4.2"},
	{"SECURE_CROSS_ORIGIN_OPENER_POLICY", "4.2", ""},
	{"USE_DEPRECATED_PYTZ", "4.2", "5.2"},
	{"CSRF_COOKIE_MASKED", "4.2", "5.2"},
	{"SECRET_KEY_FALLBACKS", "4.2", ""},
	{"USE_L10N", "", "5.2"},
	{"FORMS_URLFIELD_ASSUME_HTTPS", "5.2", "6.0"},
	{"SIGNED_COOKIE_LEGACY_SALT_FALLBACK", "5.2", ""},
	{"SECURE_CSP", "6.0", ""},
	{"SECURE_CSP_REPORT_ONLY", "6.0", ""},
	{"URLIZE_ASSUME_HTTPS", "6.0", ""},
}

// Version returns the newest series of Django that the settings can be of, and the setting that
// tells so. It is "" where none does: the text is not of diffsettings, or is the short one and
// names no setting that came or went.
//
// A setting that Django does not have, of which diffsettings says so, is as telling as one that it
// has: the project has kept it from another version.
func (p *Project) Version() (newest, because string) {
	if !p.printed {
		return "", ""
	}
	low, high := 0, len(series)-1
	narrow := func(from, to int, name string) {
		from, to = max(low, from), min(high, to)
		if from <= to && (from != low || to != high) {
			low, high, because = from, to, name
		}
	}
	for _, c := range clues {
		from, to := c.span()
		switch v, ok := p.Lookup(c.name); {
		case !ok:
		case v.State != Foreign:
			narrow(from, to, c.name)
		case from == 0: // it went
			narrow(to+1, high, c.name)
		default: // it is yet to come, or went again
			narrow(low, from-1, c.name)
		}
	}
	p.narrowByDefaults(narrow)
	if because == "" {
		return "", ""
	}
	return series[high], because
}

// span returns the first and the last series that have the setting.
func (c clue) span() (from, to int) {
	from, to = 0, len(series)-1
	if c.first != "" {
		from = slices.Index(series, c.first)
	}
	if c.until != "" {
		to = slices.Index(series, c.until) - 1
	}
	return from, to
}

// narrowByDefaults uses what has another default in another version.
func (p *Project) narrowByDefaults(narrow func(from, to int, name string)) {
	v, ok := p.Lookup("SIGNED_COOKIE_LEGACY_SALT_FALLBACK")
	if ok && v.State == Unset && v.Python == true {
		narrow(slices.Index(series, "5.2"), slices.Index(series, "6.0"), v.Name)
	}
	if ok && v.State == Unset && v.Python == false {
		narrow(slices.Index(series, "6.1"), len(series)-1, v.Name)
	}
	if v, ok := p.Lookup("USE_TZ"); ok && (v.Python == true) == (v.State == Unset) && v.State != Foreign {
		narrow(slices.Index(series, "5.2"), len(series)-1, v.Name)
	} else if ok && v.State != Foreign {
		narrow(0, slices.Index(series, "4.2"), v.Name)
	}
}
