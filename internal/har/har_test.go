package har_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/har"
)

// entry is one entry with what a case wants to say of it.
func entry(request, response string) string {
	return `{"log":{"version":"1.2","creator":{"name":"WebInspector","version":"537.36"},"pages":[],"entries":[{"startedDateTime":"2026-11-25T20:31:03.123Z","time":12.5,` +
		`"request":{"method":"GET","url":"https://shop.test/"` + request + `},"response":{"status":200` + response + `},"timings":{"receive":2.5}}]}}`
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, text     string
		sent, received har.Header
	}{
		{"nothing kept", entry(`,"headers":[{"name":"Accept-Language","value":"*"}]`, ""), nil, nil},
		{
			"HTTP/2 has lower case", entry(`,"headers":[{"name":"cookie","value":"a=1"}]`, `,"headers":[{"name":"set-cookie","value":"a=2"}]`),
			har.Header{{"Cookie", "a=1"}},
			har.Header{{"Set-Cookie", "a=2"}},
		},
		{"the value before the name", entry(`,"headers":[{"value":"a=1","name":"Cookie"}]`, ""), har.Header{{"Cookie", "a=1"}}, nil},
		{
			"Chromium joins with line feeds", entry("", `,"headers":[{"name":"set-cookie","value":"a=1; Path=/\nb=2"}]`),
			nil,
			har.Header{{"Set-Cookie", "a=1; Path=/"}, {"Set-Cookie", "b=2"}},
		},
		{
			"WebKit joins with commas",
			strings.Replace(entry("", `,"headers":[{"name":"Set-Cookie","value":"a=1; Expires=Wed, 25 Nov 2026 20:31:03 GMT, b=2, 3"}]`), "WebInspector", "WebKit Web Inspector", 1),
			nil,
			har.Header{{"Set-Cookie", "a=1; Expires=Wed, 25 Nov 2026 20:31:03 GMT"}, {"Set-Cookie", "b=2, 3"}},
		},
		{
			"commas of others are data", entry("", `,"headers":[{"name":"Set-Cookie","value":"a=1, b=2"}]`),
			nil,
			har.Header{{"Set-Cookie", "a=1, b=2"}},
		},
		{
			"lists without headers",
			entry(`,"headers":null,"cookies":[{"name":"a","value":"1"},{"name":"b","value":"2"}]`,
				`,"cookies":[{"name":"a","value":"1","path":"/","domain":"shop.test","expires":"2026-12-25T20:31:03.000Z","httpOnly":true,"secure":true,"sameSite":"Lax"}]`),
			har.Header{{"Cookie", "a=1; b=2"}},
			har.Header{{"Set-Cookie", "a=1; Path=/; Domain=shop.test; SameSite=Lax; Expires=Fri, 25 Dec 2026 20:31:03 GMT; HttpOnly; Secure"}},
		},
		{"escapes", entry(`,"headers":[{"name":"\u0043ookie","value":"\"\\\/\b\f\n\u00e9\ud83d\ude00"}]`, ""), har.Header{{"Cookie", "\"\\/\b\f"}, {"Cookie", "é😀"}}, nil},
		{"halves of characters", entry(`,"headers":[{"name":"Cookie","value":"\ud83d|\ude00|\ud83d\t|\ud83d\u0041"}]`, ""), har.Header{{"Cookie", "\ufffd|\ufffd|\ufffd\t|\ufffd"}}, nil},
		{"NUL in a name", entry(`,"headers":[{"name":"Cookie\u0000","value":"a=1"}],"cookies":[{"name":"\u0000","value":""}]`, ""), har.Header{{"Cookie", "\x00="}}, nil},
		{"bytes that are no UTF-8", entry(",\"headers\":[{\"name\":\"Cookie\",\"value\":\"a=\xff\"}]", ""), har.Header{{"Cookie", "a=\xff"}}, nil},
		{"a field twice", entry(`,"headers":[{"name":"Cookie","value":"a=1"}],"headers":[{"name":"Cookie","value":"a=2"}]`, ""), har.Header{{"Cookie", "a=2"}}, nil},
		{"a byte order mark", "\xef\xbb\xbf" + entry("", ""), nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A reader of single bytes finds every place at which a buffer may end.
			for _, r := range []io.Reader{strings.NewReader(c.text), oneByte{strings.NewReader(c.text)}} {
				l, err := har.Read(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				e := l.Entries[0]
				if !reflect.DeepEqual(e.Sent, c.sent) || !reflect.DeepEqual(e.Received, c.received) {
					t.Errorf("sent %q, received %q; want %q, %q", e.Sent, e.Received, c.sent, c.received)
				}
				if e.Taken != 10*time.Millisecond || e.Status != 200 || e.Method != http.MethodGet {
					t.Errorf("read %+v", e)
				}
			}
		})
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

func TestReadLeavesOtherSchemes(t *testing.T) {
	text := strings.Replace(entry("", ""), "https://shop.test/", "data:image/png;base64,"+strings.Repeat("A", 1<<20), 1)
	l, err := har.Read(strings.NewReader(text), nil)
	if err != nil || len(l.Entries) != 0 || l.Left != 1 {
		t.Errorf("read %+v, %v", l, err)
	}
}

// TestReadErrors holds that what is wrong is named by line, byte and field.
func TestReadErrors(t *testing.T) {
	replaced := func(old, now string) string { return strings.Replace(entry("", ""), old, now, 1) }
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "line 1, byte 0: the file ends in the middle of a value"},
		{"no JSON", "GIF89a", `line 1, byte 0: 'G' stands where '{' should`},
		{"another JSON", `{"kind":"hop"}`, "line 1, byte 0, field log: it is missing, so the file is no HAR"},
		{"an end too early", entry("", "")[:120], "field log.entries[0].startedDateTime: the file ends"},
		{"more behind the end", entry("", "") + "\n\n{}", `line 3, byte 268: '{' stands behind the end`},
		{"a date that is none", replaced(`"2026-11-25T20:31:03.123Z"`, `"NaN"`), "field log.entries[0].startedDateTime: NaN is no date such as 2026-11-25T20:31:03.123Z"},
		{"a date that is a number", replaced(`"2026-11-25T20:31:03.123Z"`, `NaN`), "field log.entries[0].startedDateTime: 'N' stands where '\"' should"},
		{"no date", replaced(`"startedDateTime"`, `"x"`), "field log.entries[0]: the entry has no startedDateTime"},
		{"no URL", replaced(`"url":"https://shop.test/"`, `"x":1`), "field log.entries[0]: the request has no url"},
		{"NaN", replaced("12.5", "NaN"), "field log.entries[0].time: NaN is no number"},
		{"infinite", replaced("12.5", "1e999"), "field log.entries[0].time: 1e999 is no number"},
		{"a hexadecimal number", replaced("12.5", "0x1p4"), "field log.entries[0].time: 0x1p4 is no number"},
		{"less than no time", replaced("12.5", "-7"), "field log.entries[0].time: -7 milliseconds are less than none"},
		{"years", replaced("12.5", "1e12"), "field log.entries[0].time: 1e+12 milliseconds are more than a request takes"},
		{"a negative status", replaced("200", "-200"), "field log.entries[0].response.status: -200 is no status"},
		{"half a status", replaced("200", "200.5"), "field log.entries[0].response.status: 200.5 is no status"},
		{"depth", replaced(`"pages":[]`, `"other":`+strings.Repeat("[", 1e6)), "more than 64 values are in each other"},
		{"depth of objects", replaced(`"pages":[]`, `"other":`+strings.Repeat(`{"a":`, 1e6)), "more than 64 values are in each other"},
		{"a long name", replaced(`"pages"`, `"`+strings.Repeat("n", 5000)+`"`), "field log: the name of a field is longer than 1024 bytes"},
		{"a long number", replaced("12.5", strings.Repeat("1", 5000)), "a number or word is longer than 64 bytes"},
		{"a long URL", replaced("https://shop.test/", "https://shop.test/"+strings.Repeat("x", 70_000)), "field log.entries[0].request.url: the URL is longer than 65536 bytes"},
		{"a long value", entry(`,"headers":[{"name":"Cookie","value":"`+strings.Repeat("x", 300_000)+`"}]`, ""), "the value of Cookie is longer than 262144 bytes"},
		{"a word that is none", replaced(`"pages":[]`, `"other":nul`), "field log.other: nul is no value"},
		{"a control character in a name", replaced(`"pages":[]`, `"\u001b[31m":nul`), `field log."\x1b[31m": nul is no value`},
		{"a comma too many", replaced(`"pages":[]`, `"other":[1,]`), `field log.other: ']' stands behind a comma`},
		{"pages that are none", replaced(`"pages":[]`, `"pages":{}`), "field log.pages: '{' stands where '[' should"},
		{"a title that is none", replaced(`"pages":[]`, `"pages":[{"title":1}]`), `field log.pages[0].title: '1' stands where '"' should`},
		{"no comma", replaced(`"pages":[]`, `"other":[1 2]`), "field log.other: '2' stands where a comma or ']' should"},
		{"a wrong escape", replaced(`"pages":[]`, `"other":"\x"`), "field log.other: 'x' stands behind a backslash"},
		{"a wrong digit", replaced(`"pages":[]`, `"other":"\u00zz"`), "field log.other: 'z' is no hexadecimal digit"},
		{"a flag that is none", entry("", `,"cookies":[{"secure":1}]`), "field log.entries[0].response.cookies[0].secure: 1 is neither true nor false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := har.Read(strings.NewReader(c.text), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestReadManyOf holds the limits that a short file does not reach.
func TestReadManyOf(t *testing.T) {
	for _, c := range []struct{ name, before, each, want string }{
		{"entries", `{"log":{"entries":[`, `{"startedDateTime":"2026-11-25T20:31:03Z","request":{"url":"http://a/"}},`, "more than 100000 requests"},
		{"pages", `{"log":{"pages":[`, `{"id":"page_1","title":"a"},`, "more than 10000 pages"},
		{"lines of a header", `{"log":{"entries":[{"request":{"headers":[`, `{"name":"x"},`, "the header has more than 2000 lines"},
		{"cookies of a header", `{"log":{"entries":[{"request":{"headers":[`, `{"name":"Cookie","value":"` + strings.Repeat("a=1; ", 100) + `"},`, "there are more than 2000 cookies"},
		{"cookies", `{"log":{"entries":[{"request":{"cookies":[`, `{"name":"x"},`, "there are more than 2000 cookies"},
		{"what is kept", `{"log":{"entries":[`, `{"startedDateTime":"2026-11-25T20:31:03Z","request":{"url":"http://a/` + strings.Repeat("x", 60_000) + `"}},`, "more than 67108864 bytes together"},
		{"bytes", `{"log":{"comment":"`, strings.Repeat("x", 1<<16), "the file is longer than 104857600 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := har.ReadLimited(&endless{before: c.before, each: c.each}, 100<<20)
			var e *har.Error
			if !errors.As(err, &e) || !strings.Contains(e.Problem, c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// endless is a file without an end.
type endless struct {
	before, each string
	left         string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == "" {
		e.left, e.before = e.before+e.each, ""
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}

func TestReadTellsOfReader(t *testing.T) {
	broken := errors.New("the disk is gone")
	_, err := har.Read(io.MultiReader(strings.NewReader(`{"log":{`), failing{broken}), nil)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "byte 8, field log: reading on: the disk is gone") {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestWriteRead holds that what was written is read as it was.
func TestWriteRead(t *testing.T) {
	l := &har.Log{Entries: []har.Entry{{
		Started: time.Date(2026, 11, 25, 20, 31, 3, 123456000, time.UTC), Taken: 1500 * time.Microsecond, Method: "POST", URL: "https://shop.test/?a=1",
		Sent: har.Header{{"Cookie", "a=1; b=2"}, {"Origin", "null"}}, Status: 302,
		Received: har.Header{{"Location", "/"}, {"Set-Cookie", "a=1; Path=/"}, {"Set-Cookie", "b"}},
	}}}
	var out bytes.Buffer
	if err := l.Write(&out, "Lockstep", "1"); err != nil {
		t.Fatal(err)
	}
	got, err := har.Read(&out, nil)
	if err != nil || got.Creator != "Lockstep 1" || !reflect.DeepEqual(got.Entries, l.Entries) {
		t.Errorf("read %+v, %v; want %+v", got, err, l)
	}
}

// FuzzRead holds that no bytes do more than fail, that an error names its place, and that what was read
// can be written and read again.
func FuzzRead(f *testing.F) {
	text, err := os.ReadFile("../trace/testdata/chromium.har") // which e2e made
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(entry(`,"headers":[{"name":"Cookie","value":"\ud83d\ude00=1"}]`, `,"headers":[{"name":"set-cookie","value":"a=1\nb=2"}],"cookies":[{"name":"a","expires":"2026-12-25T20:31:03.000Z"}]`)))
	f.Add([]byte(`{"log":{"entries":[{"startedDateTime":"NaN","time":-1}]}}`))
	f.Add([]byte(strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := har.Read(bytes.NewReader(data), nil)
		one, oneErr := har.Read(oneByte{bytes.NewReader(data)}, nil)
		if fmt.Sprint(err) != fmt.Sprint(oneErr) || !reflect.DeepEqual(l, one) {
			t.Errorf("byte by byte: %v, not %v", oneErr, err)
		}
		var e *har.Error
		if err != nil {
			if !errors.As(err, &e) || e.Line < 1 || e.Offset < 0 || e.Offset > int64(len(data)) || strings.ContainsFunc(e.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("error %#v", err)
			}
			return
		}
		var out bytes.Buffer
		if err := l.Write(&out, "Lockstep", "1"); err != nil {
			t.Fatal(err)
		}
		if _, err := har.Read(&out, nil); err != nil {
			t.Errorf("what was written cannot be read: %v\n%s", err, out.String())
		}
	})
}

// BenchmarkRead reads a recording of 10,000 requests with bodies of 2 kB.
func BenchmarkRead(b *testing.B) {
	one := entry(`,"headers":[{"name":"Accept","value":"*/*"},{"name":"Cookie","value":"sessionid=abcdefghijklmnop"}]`, `,"headers":[{"name":"Date","value":"x"}],"content":{"text":"`+strings.Repeat(`x\n`, 700)+`"}`)
	i, j := strings.Index(one, `{"started`), strings.LastIndex(one, "]}}")
	text := one[:i] + strings.Repeat(one[i:j]+",", 9999) + one[i:]
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if l, err := har.Read(strings.NewReader(text), nil); err != nil || len(l.Entries) != 10_000 {
			b.Fatal(err)
		}
	}
}
