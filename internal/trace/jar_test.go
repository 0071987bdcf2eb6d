package trace_test

import (
	"bytes"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// filled is a browser that has been to a shop, and the file of what it remembers.
func filled(t *testing.T) (b *browser.Browser, jar string) {
	t.Helper()
	b = &browser.Browser{}
	u := &url.URL{Scheme: "https", Host: "shop.test", Path: "/"}
	for _, line := range []string{"id=\xff\x80é\u202e; Secure; SameSite=Lax; Max-Age=60", "=nameless", "tab=a\tb; Domain=shop.test"} {
		if v := b.StoreCookie(browser.Request{URL: u}, line, lineTime, nil); !v.Yes {
			t.Fatal(v.Rule)
		}
	}
	b.Profile = browser.Chromium() // which has partitions
	embedded := browser.Request{URL: u, As: browser.AsIframe, Initiator: &browser.Document{URL: &url.URL{Scheme: "https", Host: "other.test", Path: "/"}}}
	if v := b.StoreCookie(embedded, "chip=1; Secure; SameSite=None; Partitioned", lineTime, nil); !v.Yes {
		t.Fatal(v.Rule)
	}
	b.StoreHSTS(u, []string{"max-age=3600"}, true, lineTime, nil)
	var out bytes.Buffer
	if err := trace.WriteJar(&out, b, lineTime); err != nil {
		t.Fatal(err)
	}
	return b, out.String()
}

func TestJarRoundTrip(t *testing.T) {
	was, jar := filled(t)
	is, err := trace.ReadJar(strings.NewReader(jar), lineTime)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := is.State(lineTime), was.State(lineTime); !reflect.DeepEqual(got, want) || len(got.Cookies) != 4 || got.Cookies[3].Partition.Site != "other.test" {
		t.Errorf("read %v, want %v", got, want)
	}
	if strings.ContainsFunc(jar, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~' && !strconv.IsPrint(r)) }) || strings.Count(jar, "\n") != 6 || !trace.IsJar(strings.NewReader(jar)) {
		t.Errorf("the jar is\n%s", jar)
	}
}

// TestJarProfile holds that a jar belongs to its profile, which judges what is in it.
func TestJarProfile(t *testing.T) {
	u := &url.URL{Scheme: "https", Host: "shop.test", Path: "/"}
	for _, p := range browser.Profiles() {
		b := &browser.Browser{Profile: p}
		for _, line := range []string{"a=1; SameSite=None", "__Host-b=2; Secure; Max-Age=60", "c"} {
			b.StoreCookie(browser.Request{URL: u}, line, lineTime, nil)
		}
		if got := b.State(lineTime).Cookies[0].Name == "a"; got != (p.Name() == "curl") {
			t.Errorf("%s: SameSite=None without Secure is kept: %v", p, got)
		}
		var jar bytes.Buffer
		if err := trace.WriteJar(&jar, b, lineTime); err != nil {
			t.Fatal(err)
		}
		again, err := trace.ReadJar(&jar, lineTime)
		if err != nil {
			t.Errorf("%s: %v", p, err)
		} else if again.Profile != p || !reflect.DeepEqual(again.State(lineTime), b.State(lineTime)) {
			t.Errorf("%s: read a browser of %s with %v", p, again.Profile, again.State(lineTime))
		}
	}
	first, err := trace.ReadJar(strings.NewReader(`{"schema":"lockstep.jar/1"}`), lineTime)
	if err != nil || first.Profile != (browser.Profile{}) {
		t.Errorf("a jar of before there were profiles: %v", err)
	}
	const insecureNone = `
{"cookie":{"name":"a","value":"1","domain":"shop.test","host_only":true,"path":"/","secure":false,"http_only":false,"same_site":"None","created":"2026-11-25T12:00:00Z"}}`
	if _, err := trace.ReadJar(strings.NewReader(`{"schema":"lockstep.jar/2","profile":"firefox"}`+insecureNone), lineTime); err == nil || !strings.Contains(err.Error(), "store-none-not-secure") {
		t.Errorf("a cookie that only curl keeps: %v", err)
	}
}

func TestJarMistakes(t *testing.T) {
	_, jar := filled(t)
	replaced := func(old, now string) string {
		if !strings.Contains(jar, old) {
			t.Fatalf("no %s in\n%s", old, jar)
		}
		return strings.Replace(jar, old, now, 1)
	}
	for _, c := range []struct{ name, jar, want string }{
		{"nothing", "", "line 1: it is empty"},
		{"another file", "-----BEGIN CERTIFICATE-----\n", "line 1: byte 2: it is no JSON"},
		{"no schema", "{}\n", `line 1: schema is "", and this program reads "lockstep.jar/2"`},
		{"a later schema", replaced("jar/2", "jar/3"), `line 1: schema is "lockstep.jar/3"`},
		{"another profile", replaced("chromium", "netscape"), `line 1: field profile: "netscape" is none that this program has`},
		{"no profile", replaced(`,"profile":"chromium"`, ""), `line 1: field profile: "" is none`},
		{"a profile further down", replaced(`{"cookie":`, `{"profile":"firefox","cookie":`), "line 2: it has none of cookie and hsts, or more than one part"},
		{"a second schema", jar + `{"schema":"lockstep.jar/1"}`, "line 7: it has none of cookie and hsts"},
		{"an empty line", jar + "\n", "line 7: it ends in the middle of a value"},
		{"half a line", jar[:len(jar)-20], "line 6: it ends in the middle of a value"},
		{"two values", replaced("\"shop.test\",\"host_only\":true,\"path\":\"/\",\"secure\":true,", "\"shop.test\"}} {\"x\":{"), "line 2: there is more than one value"},
		{"a field of the future", replaced(`"host_only":true`, `"host_only":true,"colour":"x"`), `line 2: json: unknown field "colour"`},
		{"a wrong type", replaced(`"host_only":true`, `"host_only":"yes"`), "line 2: field cookie.host_only: a string where a bool belongs"},
		{"a wrong time", replaced(`"created":"2026`, `"created":"NaN`), "line 2: field cookie.created: "},
		{"a wrong SameSite", replaced(`"Lax"`, `"lax"`), `line 2: field cookie.same_site: "lax" is none of`},
		{"no byte", replaced(`"name":"id"`, `"name":"☃"`), "line 2: a character of a name, value or path is no byte"},
		{"a cookie that no line sets", replaced(`"name":"id"`, `"name":"a;b"`), "line 2: cookie 1, Name: no line gives it"},
		{"a host that is none", replaced(`{"host":"shop.test"`, `{"host":"SHOP"`), `line 6: known HSTS host 1, Host: "SHOP" is no canonical name`},
		{"a long line", jar + strings.Repeat(" ", 1<<17), "line 7: it is longer than 65536 bytes"},
		{"many lines", jar + strings.Repeat(strings.SplitAfter(jar, "\n")[5], 20_000), "line 20001: more than 20000 lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := trace.ReadJar(strings.NewReader(c.jar), lineTime); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// FuzzJar holds that no file does more than fail, and that what was read is written and read as it was.
func FuzzJar(f *testing.F) {
	f.Add([]byte(`{"schema":"lockstep.jar/1"}
{"cookie":{"name":"a","value":"\u00ff","domain":"shop.test","host_only":true,"path":"/","secure":true,"http_only":true,"same_site":"Strict","created":"2026-11-25T12:00:00Z","expires":"2026-11-26T12:00:00Z"}}
{"hsts":{"host":"shop.test","include_subdomains":true,"expires":"2026-11-26T12:00:00Z"}}`))
	f.Add([]byte(`{"schema":"lockstep.jar/2","profile":"curl"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := trace.ReadJar(bytes.NewReader(data), lineTime)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Errorf("no line in %q", err)
			}
			return
		}
		var out bytes.Buffer
		if err := trace.WriteJar(&out, b, lineTime); err != nil {
			t.Fatal(err)
		}
		again, err := trace.ReadJar(&out, lineTime)
		if err != nil || !reflect.DeepEqual(again.State(lineTime), b.State(lineTime)) {
			t.Errorf("read again: %v", err)
		}
	})
}
