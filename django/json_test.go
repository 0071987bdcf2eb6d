package django_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/django"
)

// randomObject returns what a session may hold. All floats are finite, for encoding/json writes the
// questions.
func randomObject(r *rand.Rand, depth int) map[string]any {
	object := map[string]any{}
	for range r.IntN(6) {
		object[randomText(r)] = randomValue(r, depth+1)
	}
	return object
}

func randomValue(r *rand.Rand, depth int) any {
	kinds := 9
	if depth > 3 {
		kinds = 7
	}
	switch r.IntN(kinds) {
	case 0:
		return randomText(r)
	case 1:
		return r.IntN(1000) - 500
	case 2:
		return r.Int64()
	case 3:
		return randomFloat(r)
	case 4:
		return r.IntN(2) == 0
	case 5:
		return nil
	case 6:
		n := new(big.Int).Exp(big.NewInt(int64(r.IntN(1000))), big.NewInt(int64(r.IntN(20))), nil)
		return json.Number(n.String())
	case 7:
		return randomObject(r, depth)
	default:
		list := make([]any, r.IntN(4))
		for i := range list {
			list[i] = randomValue(r, depth+1)
		}
		return list
	}
}

func randomFloat(r *rand.Rand) float64 {
	switch r.IntN(4) {
	case 0:
		return float64(r.IntN(100))
	case 1:
		return math.Pow10(r.IntN(40) - 20)
	case 2:
		return r.NormFloat64() * math.Pow10(r.IntN(40)-20)
	}
	for {
		if f := math.Float64frombits(r.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
}

type named string

type stamp struct{ n int }

func (s stamp) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "<é%d>", s.n), nil }

func TestMarshal(t *testing.T) {
	seven := 7
	pointer := &seven
	object := mustParse(t, `{"z":1.0,"a":[ ]}`)
	tests := []struct {
		value any
		want  string
	}{
		{nil, `null`},
		{true, `true`},
		{"", `""`},
		{"a/<>&\"\\", `"a/<>&\"\\"`},
		{"\x00\x1f\b\f\n\r\t\x7f", `"\u0000\u001f\b\f\n\r\t\u007f"`},
		{"é\u2028😀", `"\u00e9\u2028\ud83d\ude00"`},
		{"a\xffb", `"a\ufffdb"`},
		{named("n"), `"n"`},
		{-7, `-7`},
		{int8(-8), `-8`},
		{uint64(math.MaxUint64), `18446744073709551615`},
		{int64(math.MinInt64), `-9223372036854775808`},
		{1.0, `1.0`},
		{0.0, `0.0`},
		{math.Copysign(0, -1), `-0.0`},
		{100.25, `100.25`},
		{1e15, `1000000000000000.0`},
		{9999999999999998.0, `9999999999999998.0`},
		{1e16, `1e+16`},
		{123456789012345680.0, `1.2345678901234568e+17`},
		{1e-4, `0.0001`},
		{1e-5, `1e-05`},
		{1.5e-7, `1.5e-07`},
		{1e22, `1e+22`},
		{1e100, `1e+100`},
		{5e-324, `5e-324`},
		{math.MaxFloat64, `1.7976931348623157e+308`},
		{math.NaN(), `NaN`},
		{math.Inf(1), `Infinity`},
		{math.Inf(-1), `-Infinity`},
		{float32(0.1), `0.1`},
		{json.Number("123456789012345678901234567890"), `123456789012345678901234567890`},
		{json.Number("1.50"), `1.50`},
		{[]int{1, 2}, `[1,2]`},
		{[]float64{1, 2.5}, `[1.0,2.5]`},
		{[]string(nil), `null`},
		{[]any{}, `[]`},
		{[2]bool{true, false}, `[true,false]`},
		{map[string]any{"b": 1.0, "a": []any{nil, "é"}, "é": 1}, `{"a":[null,"\u00e9"],"b":1.0,"\u00e9":1}`},
		{map[named]int{"x": 1}, `{"x":1}`},
		{map[int]string{10: "x", 9: "y"}, `{"10":"x","9":"y"}`},
		{map[stamp]int{{1}: 2}, `{"<\u00e91>":2}`},
		{map[string]int(nil), `null`},
		{&pointer, `7`},
		{(*int)(nil), `null`},
		{object, `{"z":1.0,"a":[ ]}`},
		{&object, `{"z":1.0,"a":[ ]}`},
		{(*django.Object)(nil), `null`},
		{[]any{object}, `[{"z":1.0,"a":[ ]}]`},
		{json.RawMessage(" {\"a\" : [1.0 , NaN, \"b \\\" c\u00e9\"]}\n"), `{"a":[1.0,NaN,"b \" c\u00e9"]}`},
		{json.RawMessage(nil), `null`},
		{struct {
			A string  `json:"a"`
			B float64 `json:"b,omitempty"`
		}{A: "é<"}, `{"a":"\u00e9<"}`},
		{stamp{3}, `"<\u00e93>"`},
		{time.Unix(0, 0).UTC(), `"1970-01-01T00:00:00Z"`},
		{[]byte("abc"), `"YWJj"`},
	}
	for _, test := range tests {
		if got, err := django.Marshal(test.value); string(got) != test.want || err != nil {
			t.Errorf("%#v is %s, %v, want %s", test.value, got, err, test.want)
		}
	}
}

func TestMarshalErrors(t *testing.T) {
	var circle any
	circle = &circle
	loop := []any{nil}
	loop[0] = loop
	for _, value := range []any{
		make(chan int), func() {}, 1i, circle, loop,
		map[string]any{"a": make(chan int)},
		map[float64]int{1: 1},
		json.Number("1 "), json.Number(""), json.Number("NaN"), json.Number("01"),
		json.RawMessage(""), json.RawMessage(`1,"a":2`), json.RawMessage(`{`), json.RawMessage("\xff"),
		struct{ F float64 }{math.NaN()},
	} {
		if raw, err := django.Marshal(value); err == nil {
			t.Errorf("%T is %s", value, raw)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	tests := []struct {
		raw  string
		want any // a value of the type to read into
	}{
		{`"\u00e9\ud83d\ude00\/\b"`, "é😀/\b"},
		{`"é"`, "é"},
		{`"\ud800x"`, "\ufffdx"},
		{`7`, 7},
		{`-7`, int64(-7)},
		{`9223372036854775807`, int64(math.MaxInt64)},
		{`null`, 0},
		{`null`, ""},
		{`7`, uint8(7)},
		{`1.0`, 1.0},
		{`7`, 7.0},
		{`Infinity`, math.Inf(1)},
		{`-Infinity`, math.Inf(-1)},
		{`1e999`, math.Inf(1)},
		{`Infinity`, float32(math.Inf(1))},
		{`[1,-Infinity]`, []float64{1, math.Inf(-1)}},
		{`{"a":Infinity,"b":2}`, map[string]float64{"a": math.Inf(1), "b": 2}},
		{`{"a":[1]}`, map[named][]int{"a": {1}}},
		{`[]`, []int{}},
		{`null`, []int(nil)},
		{`[1,2]`, [2]int{1, 2}},
		{`{"A":1}`, struct{ A int }{1}},
		{`"1970-01-01T00:00:00Z"`, time.Unix(0, 0).UTC()},
		{` [ 1.0 ] `, json.RawMessage(`[ 1.0 ]`)},
		{`true`, new(true)},
	}
	for _, test := range tests {
		got := reflect.New(reflect.TypeOf(test.want))
		err := django.Unmarshal(json.RawMessage(test.raw), got.Interface())
		if !reflect.DeepEqual(got.Elem().Interface(), test.want) || err != nil {
			t.Errorf("%s as %T is %v, %v", test.raw, test.want, got.Elem(), err)
		}
	}
	var f float64
	if err := django.Unmarshal([]byte("NaN"), &f); !math.IsNaN(f) || err != nil {
		t.Errorf("NaN is %v, %v", f, err)
	}
}

func TestUnmarshalAny(t *testing.T) {
	tests := []struct {
		raw  string
		want any
	}{
		{`null`, nil},
		{`false`, false},
		{`0`, int64(0)},
		{`-0`, int64(0)},
		{`9223372036854775807`, int64(math.MaxInt64)},
		{`9223372036854775808`, json.Number("9223372036854775808")},
		{`-123456789012345678901234567890`, json.Number("-123456789012345678901234567890")},
		{`1.0`, 1.0},
		{`1e2`, 100.0},
		{`-Infinity`, math.Inf(-1)},
		{`"\u00e9"`, "é"},
		{`[]`, []any{}},
		{`{}`, map[string]any{}},
		{` [ 1 , {"\u00e9" : [ true , Infinity ] , "a":null} ] `, []any{int64(1), map[string]any{"é": []any{true, math.Inf(1)}, "a": nil}}},
	}
	for _, test := range tests {
		var got any = "before"
		if err := django.Unmarshal(json.RawMessage(test.raw), &got); !reflect.DeepEqual(got, test.want) || err != nil {
			t.Errorf("%s is %#v, %v, want %#v", test.raw, got, err, test.want)
		}
	}
	var object django.Object
	if err := django.Unmarshal([]byte(`{"b": 1.0, "a": NaN}`), &object); err != nil || string(object.AppendJSON(nil)) != `{"b":1.0,"a":NaN}` {
		t.Errorf("object is %s, %v", object.AppendJSON(nil), err)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	var number int
	var text string
	var floats []float64
	for _, test := range []struct {
		raw    string
		target any
	}{
		{`1.0`, &number},
		{`"a"`, &number},
		{`NaN`, &number},
		{`1`, &text},
		{`["a"]`, &floats},
		{`{}`, &floats},
		{``, &text},
		{`"a" "b"`, &text},
		{`1`, number},
		{`1`, nil},
		{`1`, (*int)(nil)},
		{`[1]`, new(django.Object)},
	} {
		if err := django.Unmarshal(json.RawMessage(test.raw), test.target); err == nil {
			t.Errorf("%s goes into %T", test.raw, test.target)
		}
	}
}

func mustParse(tb testing.TB, text string) django.Object {
	tb.Helper()
	object, err := django.ParseObject([]byte(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return object
}

func TestParseObject(t *testing.T) {
	deep := strings.Repeat("[", django.MaxDepth-1) + strings.Repeat("]", django.MaxDepth-1)
	tests := []struct{ text, want string }{
		{`{}`, `{}`},
		{" {\t\"b\" : 1.0 ,\r\n\"a\":[ 1 ] } ", `{"b":1.0,"a":[ 1 ]}`},
		{`{"big":123456789012345678901234567890,"e":1E+2,"z":-0}`, `{"big":123456789012345678901234567890,"e":1E+2,"z":-0}`},
		{`{"n":NaN,"i":Infinity,"m":-Infinity}`, `{"n":NaN,"i":Infinity,"m":-Infinity}`},
		{`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{`{"\u0061":1,"a":2}`, `{"a":2}`},
		{`{"\/\u00e9\ud83d\ude00\u007f":"\/\u00E9"}`, `{"/\u00e9\ud83d\ude00\u007f":"\/\u00E9"}`},
		{`{"\ud800":1,"\ud801":2,"\udc00\ud800":3,"\ufffd":4}`, `{"\ud800":1,"\ud801":2,"\udc00\ud800":3,"\ufffd":4}`},
		{`{"":{"":{}}}`, `{"":{"":{}}}`},
		{`{"a":` + deep + `}`, `{"a":` + deep + `}`},
	}
	for _, test := range tests {
		object, err := django.ParseObject([]byte(test.text))
		if got := string(object.AppendJSON(nil)); got != test.want || err != nil {
			t.Errorf("%s is %s, %v, want %s", test.text, got, err, test.want)
		}
	}
}

func TestParseObjectErrors(t *testing.T) {
	for _, text := range []string{
		``, ` `, `null`, `[]`, `1`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":1 "b":2}`, `{a:1}`, `{'a':1}`,
		`{"a":1}x`, `{"a":1}{}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":+1}`, `{"a":-}`, `{"a":1e}`, `{"a":1e+}`, `{"a":0x1}`, `{"a":-NaN}`, `{"a":nan}`,
		`{"a":-Infinit}`, `{"a":tru}`, `{"a":TRUE}`, `{"a":None}`, `{"a":"}`, `{"a":"\"}`, `{"a":"\x41"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, `{"a":"\`, `{"a":"\u`,
		"{\"a\":\"\n\"}", "{\"a\":\"\x00\"}", "{\"\n\":1}", `{"a":"é"}`, `{"é":1}`, "{\"a\":\"\xff\"}", "\ufeff{}", "{}\x00", "{\v}", `{"a":[1,]}`, `{"a":[}`, `{"a":[1}`,
		`{"a":` + strings.Repeat("[", django.MaxDepth) + strings.Repeat("]", django.MaxDepth) + `}`,
		`{"a":` + strings.Repeat(`{"a":`, 100000),
	} {
		object, err := django.ParseObject([]byte(text))
		if err == nil || object.Len() != 0 {
			t.Errorf("%.60q is an object of %d members, %v", text, object.Len(), err)
		}
		if err != nil && strings.Contains(err.Error(), `"a"`) {
			t.Errorf("%.60q: the error tells what stands there: %v", text, err)
		}
	}
}

func TestObject(t *testing.T) {
	var o django.Object
	if o.Len() != 0 || len(o.Keys()) != 0 || string(o.AppendJSON(nil)) != "{}" || o.Delete("a") {
		t.Error("the zero object is not empty")
	}
	for _, key := range []string{"b", "a", "c"} {
		o.Set(key, json.RawMessage(`1.0`))
	}
	o.Set("a", json.RawMessage(` "é" `))
	if got := string(o.AppendJSON([]byte("x"))); got != `x{"b":1.0,"a":"\u00e9","c":1.0}` {
		t.Errorf("wrote %s", got)
	}
	clone := o.Clone()
	if !o.Delete("b") || o.Delete("b") {
		t.Error("deleting b")
	}
	o.Set("b", json.RawMessage(`2`))
	if got := o.Keys(); !slices.Equal(got, []string{"a", "c", "b"}) {
		t.Errorf("keys %q", got)
	}
	if got := string(clone.AppendJSON(nil)); got != `{"b":1.0,"a":"\u00e9","c":1.0}` {
		t.Errorf("the clone changed to %s", got)
	}
	if raw, ok := o.Get("c"); string(raw) != "1.0" || !ok {
		t.Errorf("c is %s, %t", raw, ok)
	}
	if raw, ok := o.Get("d"); raw != nil || ok {
		t.Errorf("d is %s, %t", raw, ok)
	}
	if got := fmt.Sprintf("%v %s", o, &o); strings.Contains(got, "1.0") {
		t.Errorf("prints %s", got)
	}
}

// A large object is kept in another way; nothing shows it.
func TestLargeObject(t *testing.T) {
	r := seeded()
	var o django.Object
	var keys []string
	values := map[string]string{}
	for range 3000 {
		key := fmt.Sprint(r.IntN(200))
		if r.IntN(3) == 0 {
			_, want := values[key]
			if got := o.Delete(key); got != want {
				t.Fatalf("deleting %s gives %t", key, got)
			}
			delete(values, key)
			keys = slices.DeleteFunc(keys, func(k string) bool { return k == key })
			continue
		}
		value := fmt.Sprint(r.IntN(10))
		if _, ok := values[key]; !ok {
			keys = append(keys, key)
		}
		values[key] = value
		o.Set(key, json.RawMessage(value))
		if raw, ok := o.Get(key); string(raw) != value || !ok {
			t.Fatalf("%s is %s, %t", key, raw, ok)
		}
	}
	if !slices.Equal(o.Keys(), keys) || o.Len() != len(keys) {
		t.Errorf("keys %q, want %q", o.Keys(), keys)
	}
	again := mustParse(t, string(o.AppendJSON(nil)))
	if !slices.Equal(again.Keys(), keys) {
		t.Errorf("keys %q after parsing, want %q", again.Keys(), keys)
	}
}

// A token that is not one value could add members that nobody set.
func TestSetRefusesInjection(t *testing.T) {
	for _, raw := range []string{``, ` `, `1,"_auth_user_id":"1"`, `1}`, `"a`, `{`, `x`} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("set %s", raw)
				}
			}()
			var o django.Object
			o.Set("a", json.RawMessage(raw))
		}()
	}
}

func TestObjectInEncodingJSON(t *testing.T) {
	var box struct{ A, B django.Object }
	if err := json.Unmarshal([]byte(`{"A":{"z":1.0,"a":"é"},"B":null}`), &box); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(box)
	if want := `{"A":{"z":1.0,"a":"\u00e9"},"B":{}}`; string(got) != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	if _, err := json.Marshal(mustParse(t, `{"a":NaN}`)); err == nil {
		t.Error("encoding/json wrote NaN")
	}
}

// What Marshal writes is what Python writes after reading it, and an Object is what it was parsed
// from.
func TestJSONAgainstDjango(t *testing.T) {
	r := seeded()
	var questions []question
	var texts []string
	add := func(v any) {
		raw, err := django.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(raw))
		questions = append(questions, question{"op": "json_bytes", "obj": raw})
	}
	for range 300 {
		add(randomObject(r, 0))
	}
	var floats []any
	for range 1000 {
		floats = append(floats, randomFloat(r))
	}
	add(map[string]any{"f": floats})
	for c := range 0x300 {
		add(map[string]any{string(rune(c)): string(rune(c))})
	}
	for i, a := range askDjango(t, questions) {
		written := a.text(t)
		if written != texts[i] {
			t.Errorf("wrote %s, Django %s", texts[i], written)
		}
		if object := mustParse(t, written); string(object.AppendJSON(nil)) != written {
			t.Errorf("%s comes back as %s", written, object.AppendJSON(nil))
		}
	}
}

func TestSyntaxErrorNamesThePlace(t *testing.T) {
	_, err := django.ParseObject([]byte(`{"a":1,"b":secret}`))
	if want := "parsing JSON object: no value at byte 11 of JSON"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := django.Marshal(make(chan int)); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("%v wraps nothing", err)
	}
}
