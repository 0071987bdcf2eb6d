package trace_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// TestTellingFacts holds that the facts that decided stand before those that did not, and that none is lost.
func TestTellingFacts(t *testing.T) {
	from := har.Field{Name: "Referer", Value: "https://evil.test/"}
	post := request(20, "https://shop.test/cart/pay", "", "")
	post.Method, post.Sent = "POST", har.Header{from}
	log := &har.Log{Entries: []har.Entry{request(0, "https://shop.test/", "a=1", "id=1; SameSite=Lax"), post}}
	var out bytes.Buffer
	_, err := trace.PlayHAR(log, &browser.Browser{}, false, func(v trace.Visit) error {
		trace.WriteVisit(&out, &v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(out.String(), "send-samesite-lax\n")
	if !found || !strings.HasPrefix(strings.Join(strings.Fields(text), " "), "same-site-flag=Lax, same-site request=false, kind=unsafe-method, method=POST, initiator=https://evil.test, request-host=") {
		t.Errorf("written are\n%s", out.String())
	}
}

// TestDecisiveRules holds that rules whose facts are put first exist, and have those facts.
func TestDecisiveRules(t *testing.T) {
	for id := range trace.Decisive {
		if _, ok := lookupRule(id); !ok {
			t.Errorf("there is no rule %s", id)
		}
	}
}
