package django_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/django"
)

// Nobody can sign without the key, so that whatever is accepted is what this signer writes.
func FuzzUnsign(f *testing.F) {
	for _, test := range signedByDjango {
		f.Add(test.signed, test.value)
	}
	f.Add("a:b", ":")
	signer := django.NewSigner("salt", oracleKey, "old")
	f.Fuzz(func(t *testing.T, signed, value string) {
		if got, err := signer.Unsign(signed); err == nil && signer.Sign(got) != signed {
			t.Errorf("%q was accepted", signed)
		}
		if got, err := signer.Unsign(signer.Sign(value)); got != value || err != nil {
			t.Errorf("%q comes back as %q, %v", value, got, err)
		}
		got, at, err := signer.UnsignAt(signer.SignAt(value, oracleNow), 0, oracleNow)
		if got != value || !at.Equal(oracleNow) || err != nil {
			t.Errorf("%q comes back as %q of %v, %v", value, got, at, err)
		}
		// A value that looks as if it had a time.
		if got, at, err := signer.UnsignAt(signer.Sign(value), -1, oracleNow); err == nil && !strings.HasPrefix(value, got+":") {
			t.Errorf("%q is %q of %v", value, got, at)
		}
	})
}

func FuzzLoads(f *testing.F) {
	for _, test := range dumpedByDjango {
		value, _, _ := strings.Cut(test.signed, ":")
		f.Add(value, []byte(test.json))
	}
	signer := django.NewSigner("salt", oracleKey)
	f.Fuzz(func(t *testing.T, value string, payload []byte) {
		got, err := signer.Loads(signer.SignAt(value, oracleNow), 0, oracleNow)
		if err == nil && len(got) > django.MaxPayload || err != nil && got != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		for _, compress := range []bool{false, true} {
			got, err := signer.Loads(signer.Dumps(payload, compress, oracleNow), 0, oracleNow)
			if string(got) != string(payload) || err != nil {
				t.Errorf("%q comes back as %q, %v", payload, got, err)
			}
		}
	})
}

func FuzzParseObject(f *testing.F) {
	f.Add([]byte(`{"a":1.0,"b":[true,null,"\u00e9\ud83d\ude00"],"a":{"c":-1e-5}}`))
	f.Add([]byte(` { "a" : NaN , "\ud800" : -Infinity } `))
	f.Add([]byte(`{"a":"é"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		given := slices.Clone(data)
		object, err := django.ParseObject(data)
		if !slices.Equal(given, data) {
			t.Fatal("the data was changed")
		}
		ascii := !slices.ContainsFunc(data, func(c byte) bool { return c >= utf8.RuneSelf })
		var standard map[string]json.RawMessage
		standardErr := json.Unmarshal(data, &standard)
		if standardErr == nil && standard != nil && err != nil && ascii && !strings.Contains(err.Error(), "nested") {
			t.Fatalf("encoding/json reads %q, and not we: %v", data, err)
		}
		if err != nil {
			return
		}
		if words := strings.Contains(string(data), "NaN") || strings.Contains(string(data), "Infinity"); standardErr != nil && !words {
			t.Fatalf("we read %q, and not encoding/json: %v", data, standardErr)
		}
		written := object.AppendJSON(nil)
		again := mustParse(t, string(written))
		if !slices.Equal(again.Keys(), object.Keys()) || string(again.AppendJSON(nil)) != string(written) {
			t.Errorf("%q is %q and then %q", data, written, again.AppendJSON(nil))
		}
		for _, key := range object.Keys() {
			raw, ok := object.Get(key)
			var value any
			if err := django.Unmarshal(raw, &value); err != nil || !ok {
				t.Errorf("%q: %s is not read: %v", key, raw, err)
			}
			again, err := django.Marshal(value)
			if err != nil {
				t.Errorf("%q: %v is not written: %v", key, value, err)
			}
			object.Set(key, again)
			if !utf8.ValidString(key) {
				continue // half a surrogate pair, which encoding/json replaces
			}
			if want, ok := standard[key]; standardErr == nil && (!ok || string(want) != string(raw)) {
				t.Errorf("%q is %s, in encoding/json %s", key, raw, want)
			}
		}
	})
}

func FuzzMarshalString(f *testing.F) {
	for _, s := range []string{"a", "é\u2028😀", "\xff\xed\xa0\x80", "\x00\x7f\"\\/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := django.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var ours, standard string
		if err := django.Unmarshal(raw, &ours); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if err := json.Unmarshal(raw, &standard); err != nil || ours != standard {
			t.Errorf("%s is %q, in encoding/json %q, %v", raw, ours, standard, err)
		}
		if utf8.ValidString(s) && ours != s {
			t.Errorf("%q comes back as %q", s, ours)
		}
		var object django.Object
		object.Set(s, raw)
		again := mustParse(t, string(object.AppendJSON(nil)))
		if got := again.Keys()[0]; utf8.ValidString(s) && got != s {
			t.Errorf("key %q comes back as %q", s, got)
		}
	})
}

func FuzzCookies(f *testing.F) {
	f.Add("a=1; a=2; b=\"\\351\"; c", "a")
	f.Add("=\"\"; \u2000x\x1c=\xff", "x")
	f.Fuzz(func(t *testing.T, header, name string) {
		last, found := "", false
		for _, pair := range django.ParseCookies(header) {
			if !utf8.ValidString(pair.Name) || !utf8.ValidString(pair.Value) {
				t.Errorf("%q is not UTF-8", pair)
			}
			if strings.Contains(pair.Name, ";") || strings.Contains(pair.Name, "=") {
				t.Errorf("name %q", pair.Name)
			}
			if pair.Name == name {
				last, found = pair.Value, true
			}
			if got, ok := django.LookupCookie(header, pair.Name); !ok {
				t.Errorf("%q in %q is %q, %t", pair.Name, header, got, ok)
			}
		}
		if got, ok := django.LookupCookie(header, name); got != last || ok != found {
			t.Errorf("%q in %q is %q, %t, want %q, %t", name, header, got, ok, last, found)
		}
	})
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a", `"\073"`, "é\r\n;", "\xff", "日"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		quoted := django.QuoteCookie(value)
		if strings.ContainsAny(quoted, ";,\r\n\x00\x7f") {
			t.Errorf("%q is written %q", value, quoted)
		}
		if got := django.UnquoteCookie(quoted); got != value && utf8.ValidString(value) {
			t.Errorf("%q is written %q and read %q", value, quoted, got)
		}
		line := django.SetCookie{Name: "n", Value: value}.String()
		if got, ok := django.LookupCookie(line, "n"); utf8.ValidString(value) && (got != value || !ok) {
			t.Errorf("%q is read %q from %q", value, got, line)
		}
		_ = django.UnquoteCookie(value)
	})
}

func FuzzFullPath(f *testing.F) {
	f.Add("//evil.example/%2f..", "a=%41&é")
	f.Add("/%c3%28%ff%zz%", "\r\n")
	f.Add("a/b", "")
	f.Fuzz(func(t *testing.T, path, query string) {
		full := django.FullPath(path, query)
		if !strings.HasPrefix(full, "/") {
			t.Errorf("%q begins with no slash", full)
		}
		for i := range len(full) {
			if c := full[i]; c <= ' ' || c >= 0x7F || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
				t.Errorf("%q and %q give %q", path, query, full)
			}
		}
		if django.IRIToURI(full) != full {
			t.Errorf("%q is quoted again by the response", full)
		}
		onlyPath, onlyQuery, _ := strings.Cut(full, "?")
		if onlyQuery != django.EscapeQuery(query) || onlyPath != django.FullPath(path, "") {
			t.Errorf("%q mixes path %q and query %q", full, path, query)
		}
		if again := django.FullPath(onlyPath, onlyQuery); again != full {
			t.Errorf("%q goes to %q and then to %q", path, full, again)
		}
	})
}
