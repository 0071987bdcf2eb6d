package oracle

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep"
)

// SecretKey is the SECRET_KEY of oracle.py, and with it of an [Answerer].
const SecretKey = "lockstep-oracle-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz"

// settingsFor returns what the settings of a line are for a Guard: Django's defaults in the version,
// with what oracle.py has in BASE, and the line's own over them. Forwarding headers are believed from
// anybody, as Django does.
func settingsFor(version string, change object) (lockstep.Settings, error) {
	s := lockstep.DjangoDefaults(version)
	s.SecretKey, s.AllowedHosts, s.UseTZ = SecretKey, []string{"*"}, true
	for _, name := range change.Keys() {
		if err := apply(&s, name, change.raw(name)); err != nil {
			return s, err
		}
	}
	if s.SecureProxySSLHeader[0] != "" || s.UseXForwardedHost || s.UseXForwardedPort {
		s.InsecureTrustAnyProxy = len(s.TrustedProxies) == 0
	}
	return s, nil
}

func apply(s *lockstep.Settings, name string, raw json.RawMessage) error {
	switch {
	case strings.HasPrefix(name, "MIDDLEWARE"):
		return applyMiddleware(s, name, raw)
	case name == "SESSION_SERIALIZER" && strings.HasSuffix(textOf(raw), ".JSONSerializer"):
		return nil
	case name == "SECURE_CSP":
		s.SecureCSP = policy(objectOf(raw))
		return nil
	case name == "SECURE_CSP_REPORT_ONLY":
		s.SecureCSPReportOnly = policy(objectOf(raw))
		return nil
	case name == "SECURE_REFERRER_POLICY" && textOf(raw) != "":
		s.SecureReferrerPolicy = splitWords(textOf(raw))
		return nil
	}
	field, ok := fieldOf(s, name)
	if !ok {
		return unsupported("there is no setting %s", name)
	}
	if isNull(raw) || string(raw) == "false" {
		field.SetZero()
		return nil
	}
	if err := json.Unmarshal(raw, field.Addr().Interface()); err != nil {
		return valueError("%s: %v", name, err)
	}
	return nil
}

// splitWords is what Django makes of a SECURE_REFERRER_POLICY that is one string.
func splitWords(text string) (words []string) {
	for word := range strings.SplitSeq(text, ",") {
		words = append(words, strings.TrimSpace(word))
	}
	return words
}

// fieldOf returns the field of a setting by Django's name.
func fieldOf(s *lockstep.Settings, setting string) (reflect.Value, bool) {
	for f, v := range reflect.ValueOf(s).Elem().Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("django"), ","); name == setting {
			return v, true
		}
	}
	return reflect.Value{}, false
}

// applyMiddleware knows the changes to MIDDLEWARE that settings can express.
func applyMiddleware(s *lockstep.Settings, name string, raw json.RawMessage) error {
	for _, item := range listOf(raw) {
		switch class := textOf(item); {
		case name == "MIDDLEWARE_REMOVE" && strings.HasSuffix(class, ".XFrameOptionsMiddleware"):
			s.XFrameOptions = ""
		case name != "MIDDLEWARE_REMOVE" && strings.HasSuffix(class, ".ContentSecurityPolicyMiddleware"):
		default:
			return unsupported("%s %s: a Guard is one piece", name, class)
		}
	}
	return nil
}

// policy is a CSP as Django's settings write it: a dict of directives.
func policy(dict object) (p lockstep.CSP) {
	for _, name := range dict.Keys() {
		raw := dict.raw(name)
		switch set := objectOf(raw); {
		case !truthy(raw):
		case string(raw) == "true":
			p = append(p, []string{name})
		case set.has("set"):
			p = append(p, append([]string{name}, slices.Sorted(slices.Values(set.texts("set")))...))
		case raw[0] == '[':
			p = append(p, append([]string{name}, dict.texts(name)...))
		default:
			p = append(p, []string{name, textOf(raw)})
		}
	}
	return p
}

// defaultOf is the default of a setting as Python has it, or "<absent>" where Lockstep has no such
// setting.
func defaultOf(version, name string) any {
	s := lockstep.DjangoDefaults(version)
	field, ok := fieldOf(&s, name)
	if !ok {
		return "<absent>"
	}
	tag := ""
	for f := range reflect.TypeFor[lockstep.Settings]().Fields() {
		if setting, options, _ := strings.Cut(f.Tag.Get("django"), ","); setting == name {
			tag = options
		}
	}
	switch {
	case field.IsZero() && strings.Contains(tag, "none"):
		return nil
	case field.IsZero() && strings.Contains(tag, "false"):
		return false
	case field.Kind() == reflect.Slice && field.Len() == 0:
		return []string{}
	case strings.Contains(tag, "words"):
		return strings.Join(s.SecureReferrerPolicy, ",")
	}
	return field.Interface()
}
