package browser

import (
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

const chips = "CHIPS (github.com/privacycg/CHIPS)"

var (
	storePartitionedNotSecure = rules.Add(rule.Rule{
		ID:       "store-partitioned-not-secure",
		Source:   chips + "; Chromium and Firefox, as observed",
		Sentence: "A cookie with Partitioned and without Secure is refused; Chromium does so without a word.",
		Fix:      "Add Secure and set the cookie over HTTPS.",
		Scenario: `
profile chromium
on /a send Set-Cookie: a=1; Partitioned
visit https://shop.test/a
`,
	})
	sendOtherPartition = rules.Add(rule.Rule{
		ID:       "send-other-partition",
		Source:   chips + "; " + bis + ", section 7.1",
		Sentence: "The cookie is stored for another partition: it is found only below the top-level site under which it was set, with or without a document of another site on the way.",
		Fix:      "Set the cookie again below this top-level site; one that is to be found under all of them is not Partitioned, has SameSite=None; Secure, and the browser must allow third-party cookies.",
		Scenario: `
profile chromium
on /a send Set-Cookie: a=1; Secure; SameSite=None; Partitioned
visit https://shop.test/a
from https://news.test/
load iframe https://shop.test/a
`,
	})
	storeThirdPartyBlocked = rules.Add(rule.Rule{
		ID:       "store-third-party-blocked",
		Source:   bis + ", sections 5.3 and 7.1",
		Sentence: "The answer is a third party's: its site, which is the scheme and the registrable domain together, is not the one that the window shows, or a frame of another site is on the way to it; this browser stores no cookies of third parties.",
		Fix:      "Give the cookie SameSite=None; Secure; Partitioned, if one for each top-level site will do; otherwise ask for the Storage Access API, or serve both from one site, and all over https.",
		Scenario: `
profile chromium blocked
on /a send Set-Cookie: a=1; Secure; SameSite=None
from https://news.test/
load iframe https://shop.test/a
`,
	})
	sendThirdPartyBlocked = rules.Add(rule.Rule{
		ID:       "send-third-party-blocked",
		Source:   bis + ", section 7.1",
		Sentence: "The request goes to a third party: its site, which is the scheme and the registrable domain together, is not the one that the window shows, or a frame of another site is on the way to it; this browser sends no cookies to third parties.",
		Fix:      "Give the cookie SameSite=None; Secure; Partitioned, if one for each top-level site will do; otherwise ask for the Storage Access API, or serve both from one site, and all over https.",
		Scenario: `
profile chromium blocked
on /a send Set-Cookie: a=1; Secure; SameSite=None
visit https://shop.test/a
from https://news.test/
load iframe https://shop.test/a
`,
	})
)

var keptByPartition = []keptRule{{keptPartition, sendOtherPartition}, {keptThirdParty, sendThirdPartyBlocked}}

var partitionChecks = []storeCheck{
	{storePartitionedNotSecure, 19, func(_ *Browser, r *receipt, c *Cookie) bool {
		return r.profile.partitions && r.line.Partitioned && !c.secure
	}},
	{storeThirdPartyBlocked, 24, func(_ *Browser, r *receipt, c *Cookie) bool {
		return r.target.context.blockable && r.profile.thirdParty == ThirdPartyBlocked && c.partition == (partition{})
	}},
}

// partitionFor returns the partition in which a cookie of these circumstances is stored.
func (b *Browser) partitionFor(x *siteContext, l *cookie.Line) partition {
	if b.Profile.partitions && l.Partitioned || b.partitionsAll(x) {
		return x.partition
	}
	return partition{}
}

// partitionsAll reports whether every cookie of the request is in a partition.
func (b *Browser) partitionsAll(x *siteContext) bool {
	return x.thirdParty && b.Profile.thirdParty == ThirdPartyPartitioned
}

// inPartition reports whether c is found in these circumstances.
func (b *Browser) inPartition(x *siteContext, c *Cookie) bool {
	if c.partition.site == "" {
		return !b.partitionsAll(x)
	}
	return c.partition == x.partition
}
