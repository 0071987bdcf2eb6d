package browser

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
)

// How many cookies a browser keeps. Beyond a limit the least wanted ones go until the lower number
// is left, so that a full store is not tidied for every cookie. The numbers for a site are those of
// Chromium and Firefox; beyond the limit of all of them a tenth goes.
const (
	maxSiteCookies  = 180
	keepSiteCookies = 150
	maxCookies      = 3000
)

// An entry is a stored cookie with what only the store needs to know.
type entry struct {
	Cookie
	accessed time.Time // last-access-time
	seq      uint64    // the order in which cookies were created, also at one time
}

// before orders entries as they are sent: longer paths first, then older cookies.
//
// RFC 6265bis-22, section 5.8.3, step 4.
func before(a, b entry) int {
	return cmp.Or(
		cmp.Compare(len(b.path), len(a.path)),
		a.created.Compare(b.created),
		cmp.Compare(a.seq, b.seq),
	)
}

// A cookieStore holds cookies by site, which is the registrable domain of the hosts that can send
// them. All that a question about a host concerns is in one site. Within it entries are in the
// order of before, and no two have the same identity.
type cookieStore struct {
	sites map[string][]entry
	count int
	seq   uint64
}

// find returns the stored cookie of a site with the identity of c, or nil.
func (s *cookieStore) find(site string, c *Cookie) *entry {
	entries := s.sites[site]
	for i := range entries {
		if entries[i].same(c) {
			return &entries[i]
		}
	}
	return nil
}

// replace puts c in place of old, whose age and place it keeps unless it is renewed.
func (s *cookieStore) replace(site string, old *entry, c Cookie, renewed bool, now time.Time) {
	if !renewed {
		c.created = old.created
		old.Cookie, old.accessed = c, now
		return
	}
	seq := old.seq
	s.remove(site, func(e entry) bool { return e.seq == seq })
	s.place(site, c, now)
}

// place puts c, whose identity is new, where it belongs in the order, and returns its number.
func (s *cookieStore) place(site string, c Cookie, now time.Time) uint64 {
	s.seq++
	e := entry{Cookie: c, accessed: now, seq: s.seq}
	entries := s.sites[site]
	i, _ := slices.BinarySearchFunc(entries, e, before)
	if s.sites == nil {
		s.sites = map[string][]entry{}
	}
	s.sites[strings.Clone(site)] = slices.Insert(entries, i, e)
	s.count++
	return e.seq
}

// insert stores c in its site, where its identity is new, and returns what had to go for it. The
// limit is that of the whole store.
func (s *cookieStore) insert(site string, c Cookie, limit int, now time.Time) (evicted []Cookie) {
	return s.evict(site, s.place(site, c, now), limit, now)
}

// remove takes out of a site every cookie that drop reports.
func (s *cookieStore) remove(site string, drop func(entry) bool) {
	entries := s.sites[site]
	left := slices.DeleteFunc(entries, drop)
	s.count -= len(entries) - len(left)
	if len(left) == 0 {
		delete(s.sites, site)
		return
	}
	s.sites[site] = left
}

// removeExpired takes out of a site what has expired at now.
func (s *cookieStore) removeExpired(site string, now time.Time) {
	entries := s.sites[site]
	for i := range entries {
		if entries[i].expired(now) {
			s.remove(site, func(e entry) bool { return e.expired(now) })
			return
		}
	}
}

// all returns every entry, in no order.
func (s *cookieStore) all() iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for _, entries := range s.sites {
			for _, e := range entries {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// evict brings the site, and then the whole store, under its limit, and returns what went. The
// cookie numbered newest, for which room is made, stays.
func (s *cookieStore) evict(site string, newest uint64, limit int, now time.Time) []Cookie {
	var gone []Cookie
	if n := len(s.sites[site]); n > maxSiteCookies {
		wanted := func(a, b entry) int {
			return cmp.Or(expiredFirst(a, b, now), falseFirst(a.secure, b.secure), leastRecent(a, b))
		}
		gone = s.drop(leastWanted(slices.Values(s.sites[site]), n-keepSiteCookies, newest, wanted))
	}
	if s.count > limit {
		wanted := func(a, b entry) int { return cmp.Or(expiredFirst(a, b, now), leastRecent(a, b)) }
		gone = append(gone, s.drop(leastWanted(s.all(), s.count-limit/10*9, newest, wanted))...)
	}
	return gone
}

// leastWanted returns the n first entries in the given order, without the one numbered newest.
func leastWanted(entries iter.Seq[entry], n int, newest uint64, order func(a, b entry) int) []entry {
	sorted := slices.SortedFunc(entries, order)
	sorted = slices.DeleteFunc(sorted, func(e entry) bool { return e.seq == newest })
	return sorted[:min(n, len(sorted))]
}

// drop removes entries and returns their cookies.
func (s *cookieStore) drop(entries []entry) []Cookie {
	cookies := make([]Cookie, 0, len(entries))
	sites := map[string]map[uint64]bool{}
	for _, e := range entries {
		site := cookie.RegistrableDomain(e.domain)
		if sites[site] == nil {
			sites[site] = map[uint64]bool{}
		}
		sites[site][e.seq] = true
		cookies = append(cookies, e.Cookie)
	}
	for site, seqs := range sites {
		s.remove(site, func(e entry) bool { return seqs[e.seq] })
	}
	return cookies
}

func expiredFirst(a, b entry, now time.Time) int {
	return falseFirst(!a.expired(now), !b.expired(now))
}

func leastRecent(a, b entry) int {
	return cmp.Or(a.accessed.Compare(b.accessed), cmp.Compare(a.seq, b.seq))
}

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Cookies returns the cookies that are stored and have not expired at now, in the order in which
// they were first stored.
func (b *Browser) Cookies(now time.Time) []Cookie {
	b.mu.Lock()
	defer b.mu.Unlock()
	var entries []entry
	for e := range b.cookies.all() {
		if !e.expired(now) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	cookies := make([]Cookie, len(entries))
	for i, e := range entries {
		cookies[i] = e.Cookie
	}
	return cookies
}
