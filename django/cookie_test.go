package django_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/django"
)

func TestQuoteCookie(t *testing.T) {
	const token = "ABCXYZabcxyz0189!#$%&'*+-.^_`|~:"
	tests := []struct{ value, want string }{
		{token, token},
		{"", `""`},
		{" ", `" "`},
		{"()/<=>?@[]{}", `"()/<=>?@[]{}"`},
		{`a"b\c`, `"a\"b\\c"`},
		{"a;b,c", `"a\073b\054c"`},
		{"a\r\nX: y", `"a\015\012X: y"`},
		{"\x00\x7f", `"\000\177"`},
		{"é\u0080ÿ", `"\351\200\377"`},
		{"Ā日😀", `"Ā日😀"`},
		{"\xff", `"\377"`},
		{"\xe2\x82", `"\342\202"`},
	}
	for _, test := range tests {
		if got := django.QuoteCookie(test.value); got != test.want {
			t.Errorf("%q is written %s, want %s", test.value, got, test.want)
		}
	}
}

func TestUnquoteCookie(t *testing.T) {
	tests := []struct{ coded, want string }{
		{`a`, `a`},
		{``, ``},
		{`"`, `"`},
		{`""`, ``},
		{`"a`, `"a`},
		{`a"`, `a"`},
		{`'a'`, `'a'`},
		{`a\073b`, `a\073b`},
		{`"a\073b"`, `a;b`},
		{`"\163\145\163"`, `ses`},
		{`"\351"`, `é`},
		{`"\303\251"`, `Ã©`}, // code points, not bytes
		{`"\377\400\3"`, `ÿ4003`},
		{`"\08\018"`, "08018"},
		{`"\"\\\a"`, `"\a`},
		{`"\é"`, `é`},
		{`"a\"`, `a\`},
		{`"a\\"`, `a\`},
		{"\"a\\\nb\"", "a\\\nb"},
		{`"%41"`, `%41`},
		{`"a"b"`, `a"b`},
	}
	for _, test := range tests {
		if got := django.UnquoteCookie(test.coded); got != test.want {
			t.Errorf("%s is read as %q, want %q", test.coded, got, test.want)
		}
	}
}

type pairs = []django.CookiePair

// Rows K01 to K09 of the attacks, as Django reads them.
func TestParseCookies(t *testing.T) {
	tests := []struct {
		header string
		want   pairs
	}{
		{"", nil},
		{";; ; ", pairs{}},
		{"a=1; b=2", pairs{{"a", "1"}, {"b", "2"}}},
		{"a=1;b=2;", pairs{{"a", "1"}, {"b", "2"}}},
		{"sessionid=good; sessionid=evil", pairs{{"sessionid", "good"}, {"sessionid", "evil"}}},
		{"sessionid=good,sessionid=evil", pairs{{"sessionid", "good,sessionid=evil"}}},
		{`$Version=1; p="x; sessionid=s3cret; q=y"`, pairs{{"$Version", "1"}, {"p", `"x`}, {"sessionid", "s3cret"}, {"q", `y"`}}},
		{`a="\163\145\163"`, pairs{{"a", "ses"}}},
		{"\u0085__Host-a=1;\u2000b=2;\u00a0c =\u30003", pairs{{"__Host-a", "1"}, {"b", "2"}, {"c", "3"}}},
		{"\x1ca=1;\u200bb=2;\ufeffc=3;\u180ed=4", pairs{{"a", "1"}, {"\u200bb", "2"}, {"\ufeffc", "3"}, {"\u180ed", "4"}}},
		{"=__Host-sessionid=evil; __Host-x", pairs{{"", "__Host-sessionid=evil"}, {"", "__Host-x"}}},
		{"__hOsT-sessionid=1", pairs{{"__hOsT-sessionid", "1"}}},
		{"a=é; b=\x01", pairs{{"a", "é"}, {"b", "\x01"}}},
		{"sessionid =2; sess ion=1; a[b]=1; sess%69onid=2", pairs{{"sessionid", "2"}, {"sess ion", "1"}, {"a[b]", "1"}, {"sess%69onid", "2"}}},
		{`a=b=c; d==; e=""; f=" "; g= " "`, pairs{{"a", "b=c"}, {"d", "="}, {"e", ""}, {"f", " "}, {"g", " "}}},
		{`=; =""; x=`, pairs{{"", ""}, {"x", ""}}},
		{"a=\xff\xe2\x82x\xf0\x9f\x98;b=\xed\xa0\x80;c=\xf4\x90\x80;d=\xe0\x80\x80;e=\xc3", pairs{
			{"a", "\ufffd\ufffdx\ufffd"}, {"b", "\ufffd\ufffd\ufffd"}, {"c", "\ufffd\ufffd\ufffd"}, {"d", "\ufffd\ufffd\ufffd"}, {"e", "\ufffd"},
		}},
		{"\xe2\xc2\xa0a=1", pairs{{"\ufffd\u00a0a", "1"}}},
	}
	for _, test := range tests {
		got := django.ParseCookies(test.header)
		if !slices.Equal(got, test.want) {
			t.Errorf("%q is %q, want %q", test.header, got, test.want)
		}
		checkLookup(t, test.header)
	}
}

// checkLookup compares LookupCookie with the last pair of each name.
func checkLookup(t *testing.T, header string) {
	t.Helper()
	last := map[string]string{}
	for _, pair := range django.ParseCookies(header) {
		last[pair.Name] = pair.Value
	}
	for name, want := range last {
		if got, ok := django.LookupCookie(header, name); got != want || !ok {
			t.Errorf("%q in %q is %q, %t, want %q", name, header, got, ok, want)
		}
	}
	for _, name := range []string{"", "no such name", "a", "A"} {
		want, wantOK := last[name]
		if got, ok := django.LookupCookie(header, name); got != want || ok != wantOK {
			t.Errorf("%q in %q is %q, %t, want %q, %t", name, header, got, ok, want, wantOK)
		}
	}
}

func TestLookupCookieAllocatesNothing(t *testing.T) {
	header := "first=1; sessionid=abcdefghijklmnopqrstuvwxyz012345; csrftoken=x; é=é"
	if n := testing.AllocsPerRun(100, func() { django.LookupCookie(header, "sessionid") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Rows K10 and K11: as many cookies as a server lets through, in linear time.
func TestManyCookies(t *testing.T) {
	for _, header := range []string{
		strings.Repeat(";", 1<<20),
		strings.Repeat("a;", 1<<19),
		strings.Repeat("a=1;", 1<<18),
		`a="` + strings.Repeat(`\`, 1<<20) + `"`,
		`a="` + strings.Repeat(`\351`, 1<<18) + `"`,
		"a=" + strings.Repeat("\xff", 1<<20),
		"a=" + strings.Repeat("\u2000", 1<<18),
	} {
		django.ParseCookies(header)
		django.LookupCookie(header, "none")
		django.LookupCookie(header, "a")
	}
}

func TestCheckCookieName(t *testing.T) {
	for _, name := range []string{"sessionid", "__Host-a", "a!#$%&'*+-.^_`|~:", "0", "partitioned", "Paths"} {
		if err := django.CheckCookieName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", " ", "a b", "a=b", "a;b", "a,b", "a[b]", "é", "a\n", `a"`, "path", "Path", "SECURE", "Max-Age", "samesite", "HttpOnly", "expires", "domain", "comment", "version"} {
		if err := django.CheckCookieName(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestSetCookie(t *testing.T) {
	tests := []struct {
		cookie django.SetCookie
		want   string
	}{
		{django.SetCookie{Name: "a", Value: "v"}, "a=v"},
		{django.SetCookie{Name: "a", Path: "/"}, `a=""; Path=/`},
		{
			django.SetCookie{
				Name: "a", Value: "v;w", Domain: ".shop.test", Path: "/p", SameSite: "lax", MaxAge: new(3600),
				Expires: django.HTTPDate(oracleNow.Add(time.Hour)), Secure: true, HttpOnly: true, Partitioned: true,
			},
			`a="v\073w"; Domain=.shop.test; expires=Tue, 14 Nov 2023 23:13:20 GMT; HttpOnly; Max-Age=3600; Partitioned; Path=/p; SameSite=lax; Secure`,
		},
		{django.SetCookie{Name: "a", Value: "v", MaxAge: new(0)}, "a=v; Max-Age=0"},
		{django.SetCookie{Name: "a", Value: "v", MaxAge: new(-1)}, "a=v; Max-Age=-1"},
		{django.DeleteCookie("a", "/", "", ""), `a=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/`},
		{django.DeleteCookie("__Host-a", "/", "", "Lax"), `__Host-a=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax; Secure`},
		{django.DeleteCookie("__Secure-a", "", "b.test", ""), `__Secure-a=""; Domain=b.test; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Secure`},
		{django.DeleteCookie("__host-a", "/", "", ""), `__host-a=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/`},
		{django.DeleteCookie("a", "/", "", "nOnE"), `a=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=nOnE; Secure`},
	}
	for _, test := range tests {
		if got := test.cookie.String(); got != test.want {
			t.Errorf("wrote %s\n want %s", got, test.want)
		}
	}
}

func TestHTTPDate(t *testing.T) {
	zone := time.FixedZone("", 3600)
	tests := []struct {
		t    time.Time
		want string
	}{
		{oracleNow, "Tue, 14 Nov 2023 22:13:20 GMT"},
		{oracleNow.Add(999999999).In(zone), "Tue, 14 Nov 2023 22:13:20 GMT"},
		{time.Unix(0, 0), "Thu, 01 Jan 1970 00:00:00 GMT"},
	}
	for _, test := range tests {
		if got := django.HTTPDate(test.t); got != test.want {
			t.Errorf("%v is %s, want %s", test.t, got, test.want)
		}
	}
}

func TestCookieValuesAgainstDjango(t *testing.T) {
	r := seeded()
	var values []string
	for c := range rune(0x120) {
		values = append(values, string(c), "a"+string(c)+"1", `\`+string(c))
	}
	for range 500 {
		values = append(values, randomText(r))
	}
	var questions []question
	for _, value := range values {
		questions = append(questions,
			question{"op": "quote_cookie", "key": "k", "value": value},
			question{"op": "unquote_cookie", "value": value},
			question{"op": "unquote_cookie", "value": `"` + value + `"`},
		)
	}
	answers := askDjango(t, questions)
	for i, value := range values {
		if got, want := "k="+django.QuoteCookie(value), answers[3*i].text(t); got != want {
			t.Errorf("%q is written %q, by Django %q", value, got, want)
		}
		if got, want := django.UnquoteCookie(value), answers[3*i+1].text(t); got != want {
			t.Errorf("%q is read %q, by Django %q", value, got, want)
		}
		if got, want := django.UnquoteCookie(`"`+value+`"`), answers[3*i+2].text(t); got != want {
			t.Errorf("%q between quotes is read %q, by Django %q", value, got, want)
		}
	}
}

func TestCookieHeadersAgainstDjango(t *testing.T) {
	r := seeded()
	var headers []string
	for _, space := range []rune{0x85, 0xA0, 0x1680, 0x180E, 0x200B, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF} {
		headers = append(headers, string(space)+"a"+string(space)+"=b"+string(space))
	}
	for c := range rune(0x100) {
		headers = append(headers, string(c)+"a"+string(c)+"="+string(c)+"b"+string(c))
	}
	for c := rune(0x2000); c < 0x2070; c++ {
		headers = append(headers, string(c)+"a=b")
	}
	for range 500 {
		header := ""
		for range r.IntN(4) {
			header += []string{"", "a", "b", "=", ";", "\"", randomText(r)}[r.IntN(7)] +
				[]string{"", "=", "=\"", ";"}[r.IntN(4)] + randomText(r) + []string{"", "\"", ";", "; ", "\";"}[r.IntN(5)]
		}
		headers = append(headers, header)
	}
	broken := len(headers) // from here on they are not UTF-8 and go in as WSGI has them
	for range 300 {
		raw := make([]byte, r.IntN(12))
		for i := range raw {
			raw[i] = "a=;\x80\x9f\xa0\xbf\xc2\xc3\xe0\xe2\xed\xef\xf0\xf4\xf5\xff"[r.IntN(17)]
		}
		headers = append(headers, "a="+string(raw))
	}
	var questions []question
	for i, header := range headers {
		latin1 := make([]rune, len(header))
		for j := range len(header) {
			latin1[j] = rune(header[j])
		}
		q := question{"op": "parse_cookie", "value": header}
		if i >= broken || i%10 == 0 {
			q = question{"view": "plain", "requests": []question{{"url": "http://a.test/", "environ": question{"HTTP_COOKIE": string(latin1)}}}}
		}
		questions = append(questions, q)
	}
	for i, a := range askDjango(t, questions) {
		want := map[string]string{}
		if len(a.Responses) > 0 {
			want = a.Responses[0].JSON.COOKIES
		} else if err := django.Unmarshal(a.Result, &want); err != nil {
			t.Fatalf("%s: %v", a.Result, err)
		}
		got := map[string]string{}
		for _, pair := range django.ParseCookies(headers[i]) {
			got[pair.Name] = pair.Value
		}
		if len(got) != len(want) {
			t.Errorf("%q is %q, in Django %q", headers[i], got, want)
		}
		for name, value := range want {
			if have, ok := django.LookupCookie(headers[i], name); have != value || got[name] != value || !ok {
				t.Errorf("%q of %q is %q and %q, in Django %q", name, headers[i], have, got[name], value)
			}
		}
	}
}

func TestSetCookieAgainstDjango(t *testing.T) {
	r := seeded()
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	var lines []string
	var questions []question
	add := func(want django.SetCookie, op string, arguments question) {
		lines = append(lines, want.String())
		questions = append(questions, question{"view": "setcookie", "requests": []question{{
			"url": "http://a.test/", "args": question{"ops": []any{[]any{op, arguments}}},
		}}})
	}
	for range 150 {
		// A server refuses characters beyond Latin-1.
		value := strings.Map(func(c rune) rune {
			if c > 0xFF {
				return 'x'
			}
			return c
		}, randomText(r))
		cookie := django.SetCookie{
			Name: pick("a", "__Host-a", "a!~"), Value: value, Domain: pick("", "a.test", ".a.test"), Path: pick("", "/", "/p;q"),
			SameSite: pick("", "Lax", "sTRICT", "None"), Secure: r.IntN(2) == 0, HttpOnly: r.IntN(2) == 0,
		}
		arguments := question{"key": cookie.Name, "value": value, "path": cookie.Path, "secure": cookie.Secure, "httponly": cookie.HttpOnly}
		if cookie.Domain != "" {
			arguments["domain"] = cookie.Domain
		}
		if cookie.SameSite != "" {
			arguments["samesite"] = cookie.SameSite
		}
		if r.IntN(2) == 0 {
			cookie.MaxAge = new(r.IntN(10000) - 100)
			cookie.Expires = django.HTTPDate(oracleNow.Add(time.Duration(*cookie.MaxAge) * time.Second))
			arguments["max_age"] = *cookie.MaxAge
		}
		add(cookie, "set", arguments)

		name, path, domain, sameSite := pick("a", "__Host-a", "__Secure-b", "__host-c"), pick("", "/", "/p"), pick("", "a.test"), pick("", "Lax", "none", "None")
		arguments = question{"key": name, "path": path, "domain": domain}
		if sameSite != "" {
			arguments["samesite"] = sameSite
		}
		add(django.DeleteCookie(name, path, domain, sameSite), "delete", arguments)
	}
	for i, a := range askDjango(t, questions) {
		if len(a.Responses[0].SetCookies) != 1 {
			t.Errorf("%s: Django sets %v", lines[i], a.Responses[0].SetCookies)
			continue
		}
		if want := a.Responses[0].SetCookies[0].Raw; lines[i] != want {
			t.Errorf("wrote %s\nDjango %s", lines[i], want)
		}
	}
}

func TestCookieNamesAgainstDjango(t *testing.T) {
	names := []string{"sessionid", "path", "Path", "MAX-AGE", "samesite", "httponly", "expires", "version", "comment", "secure", "domain", "partitioned", "", "a b", "ſecure"}
	for c := range rune(0x100) {
		names = append(names, "a"+string(c))
	}
	var questions []question
	for _, name := range names {
		questions = append(questions, question{"op": "quote_cookie", "key": name, "value": "v"})
	}
	for i, a := range askDjango(t, questions) {
		if err := django.CheckCookieName(names[i]); (err == nil) != (a.Error == "") {
			t.Errorf("%q: %v, Django %q", names[i], err, a.Error)
		}
	}
}

func TestHTTPDateAgainstDjango(t *testing.T) {
	r := seeded()
	var times []int64
	var questions []question
	for range 100 {
		n := r.Int64N(8000000000) - 2000000000
		times = append(times, n)
		questions = append(questions, question{"op": "http_date", "t": n})
	}
	for i, a := range askDjango(t, questions) {
		if got, want := django.HTTPDate(time.Unix(times[i], 0)), a.text(t); got != want {
			t.Errorf("%d is %s, in Django %s", times[i], got, want)
		}
	}
}
