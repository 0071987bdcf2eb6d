package form_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/form"
)

// TestInsecure holds which http URLs are seen in a page over https, and as what a browser loads each.
func TestInsecure(t *testing.T) {
	for _, c := range []struct {
		sentence, page string
		want           []string
	}{
		{"nothing", `<p>http://cdn.test/`, nil},
		{"https and paths are no matter", `<script src=https://cdn.test/></script><img src=/a><img src=//cdn.test/b><a href=http://cdn.test/>`, nil},
		{"a script", `<script src="http://cdn.test/a.js"></script><script>1</script>`, []string{"script script http://cdn.test/a.js"}},
		{
			"an image and its set", `<img src=HTTP://cdn.test/a srcset="http://cdn.test/b 2x, /c 3x,http://cdn.test/d, http://cdn.test/e">`,
			[]string{"img image http://cdn.test/a", "img imageset http://cdn.test/b", "img imageset http://cdn.test/d", "img imageset http://cdn.test/e"},
		},
		{"a picture", `<picture><source srcset=http://cdn.test/a><img src=http://cdn.test/b></picture>`, []string{"source imageset http://cdn.test/a", "img image http://cdn.test/b"}},
		{
			"sound and video", `<audio src=http://cdn.test/a></audio><video poster=http://cdn.test/p><source src=http://cdn.test/v><track src=http://cdn.test/t></video>`,
			[]string{"audio audio http://cdn.test/a", "video image http://cdn.test/p", "source video http://cdn.test/v", "track track http://cdn.test/t"},
		},
		{
			"frames and plugins", `<iframe src=http://cdn.test/a></iframe><object data=http://cdn.test/b></object><embed src=http://cdn.test/c>`,
			[]string{"iframe iframe http://cdn.test/a", "object object http://cdn.test/b", "embed embed http://cdn.test/c"},
		},
		{
			"links that load", `<link rel="icon shortcut" href=http://cdn.test/a><link rel=StyleSheet href=http://cdn.test/b><link rel=preload as=font href=http://cdn.test/c><link rel=canonical href=http://shop.test/>`,
			[]string{"link image http://cdn.test/a", "link style http://cdn.test/b", "link font http://cdn.test/c"},
		},
		{
			"forms and their buttons", `<form action=http://shop.test/a><button formaction=http://shop.test/b></button><input type=image src=http://cdn.test/c></form>`,
			[]string{"form form http://shop.test/a", "button form http://shop.test/b", "input image http://cdn.test/c"},
		},
		{"a base over http", `<base href=http://shop.test/x/><script src=a.js></script><form></form>`, []string{"script script http://shop.test/x/a.js"}},
		{"a template", `<template><script src=http://cdn.test/a></script></template>`, nil},
		{"what is no URL", `<img src="http://[cdn.test/"><script src="javascript:1"></script>`, nil},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var got []string
			for _, one := range form.Parse([]byte(c.page), at).Insecure {
				got = append(got, one.Element+" "+one.Kind+" "+one.URL.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			plain := *at
			plain.Scheme = "http"
			if all := form.Parse([]byte(c.page), &plain).Insecure; len(all) > 0 {
				t.Errorf("over http: %v", all)
			}
		})
	}
	many := strings.Repeat(`<img srcset="`+strings.Repeat("http://cdn.test/a 1x, ", 100)+`">`, 100)
	if n := len(form.Parse([]byte(many), at).Insecure); n != 200 {
		t.Errorf("%d URLs of 10,000 were kept", n)
	}
}

func TestUpgrades(t *testing.T) {
	for policy, want := range map[string]bool{
		"upgrade-insecure-requests":                             true,
		"default-src 'self'; Upgrade-Insecure-Requests ":        true,
		"default-src 'self', upgrade-insecure-requests;":        true,
		"upgrade-insecure-requests 1":                           true,
		"":                                                      false,
		"upgrade-insecure":                                      false,
		"report-uri /upgrade-insecure-requests":                 false,
		"default-src upgrade-insecure-requests; img-src 'self'": false,
	} {
		if got := form.Upgrades(policy); got != want {
			t.Errorf("%q: %t, want %t", policy, got, want)
		}
		page := `<head><meta http-equiv=content-security-policy content="` + policy + `"></head>`
		if got := form.Parse([]byte(page), at).Upgrades; got != want {
			t.Errorf("%s: %t, want %t", page, got, want)
		}
	}
	if form.Parse([]byte(`<body><meta http-equiv=content-security-policy content=upgrade-insecure-requests>`), &url.URL{Scheme: "https", Host: "a"}).Upgrades {
		t.Error("a policy in the body counts")
	}
}
