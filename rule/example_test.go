package rule_test

import (
	"context"
	"fmt"

	"github.com/lockstep-http/lockstep/rule"
)

func ExampleWithWatch() {
	ctx := rule.WithWatch(context.Background(), func(v rule.Verdict) {
		fmt.Printf("%s: %s %s: %t, by %s\n", v.Side, v.Question, v.Subject, v.Yes, v.Rule)
	})

	// Deep below, where something is decided:
	rec := rule.FromContext(ctx)
	rec.Record(rule.Verdict{
		Side: rule.Browser, Question: rule.SendCookie, Subject: "sessionid", Rule: "send-secure-over-http",
	})
	// Output:
	// browser: send cookie sessionid: false, by send-secure-over-http
}
