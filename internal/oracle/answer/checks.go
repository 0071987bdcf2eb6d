package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/internal/check"
	"github.com/lockstep-http/lockstep/internal/oracle"
	"github.com/lockstep-http/lockstep/settings"
)

// The settings of oracle.py, over which those of a line are laid.
const base = `SECRET_KEY = '` + oracle.SecretKey + `'
DEBUG = False
ALLOWED_HOSTS = ['*']
USE_TZ = True
INSTALLED_APPS = ['django.contrib.sessions']
CSRF_FAILURE_VIEW = 'oracle_views.csrf_failure'
TEMPLATES = []
`

var middleware = []string{
	"django.middleware.security.SecurityMiddleware",
	"django.contrib.sessions.middleware.SessionMiddleware",
	"django.middleware.common.CommonMiddleware",
	"django.middleware.csrf.CsrfViewMiddleware",
	"django.middleware.clickjacking.XFrameOptionsMiddleware",
}

// runChecks answers the verb "check": the ids of Django's own checks that find something, in a
// Django of that version.
func runChecks(version string) func(map[string]json.RawMessage, bool) ([]string, error) {
	return func(change map[string]json.RawMessage, deploy bool) ([]string, error) {
		text, err := settingsText(change)
		if err != nil {
			return nil, err
		}
		project, err := settings.ReadDiffsettings("settings", []byte(text))
		if err != nil {
			return nil, err
		}
		report, err := check.Audit(context.Background(), "settings", project, check.Options{Django: version})
		if err != nil {
			return nil, err
		}
		ids := []string{}
		for _, f := range report.Findings {
			if f.Check.DjangosOwn() && (deploy || always(f.Check.ID)) {
				ids = append(ids, f.Check.ID)
			}
		}
		slices.Sort(ids)
		return ids, nil
	}
}

// always reports whether Django runs a check without --deploy too.
func always(id string) bool {
	return slices.Contains([]string{"security.E026", "security.W027", "security.E100", "security.E101", "security.E102", "4_0.E001"}, id)
}

// settingsText is what diffsettings prints of the settings of a line.
func settingsText(change map[string]json.RawMessage) (string, error) {
	var text strings.Builder
	text.WriteString(base)
	classes := slices.Clone(middleware)
	for name, raw := range change {
		value, err := valueOf(raw)
		if err != nil {
			return "", err
		}
		var list []string
		_ = json.Unmarshal(raw, &list) // MIDDLEWARE_* are lists of strings
		switch name {
		case "MIDDLEWARE":
			classes = list
		case "MIDDLEWARE_REMOVE":
			classes = slices.DeleteFunc(classes, func(class string) bool { return slices.Contains(list, class) })
		case "MIDDLEWARE_APPEND":
			classes = append(classes, list...)
		case "MIDDLEWARE_PREPEND":
			classes = append(slices.Clone(list), classes...)
		default:
			text.WriteString(name + " = " + settings.Literal(value) + "\n")
		}
	}
	text.WriteString("MIDDLEWARE = " + settings.Literal(toAny(classes)) + "\n")
	return text.String(), nil
}

// valueOf is a JSON value as package settings has those of Python.
func valueOf(raw json.RawMessage) (any, error) {
	var dict django.Object
	if dict.UnmarshalJSON(raw) == nil && raw[0] == '{' {
		items := settings.Dict{}
		for _, key := range dict.Keys() {
			member, _ := dict.Get(key)
			value, err := valueOf(member)
			if err != nil {
				return nil, err
			}
			items = append(items, settings.Item{Key: key, Value: value})
		}
		return items, nil
	}
	var value any
	err := django.Unmarshal(raw, &value)
	return value, err
}

func toAny(texts []string) []any {
	all := []any{}
	for _, text := range texts {
		all = append(all, text)
	}
	return all
}
