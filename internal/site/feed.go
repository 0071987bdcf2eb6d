package site

import (
	"container/list"
	"crypto/sha256"
	"slices"
	"sync"
)

// Limits of what is remembered for the page of verdicts: 64 people, 40 requests each. With the limits of
// an entry that is below 100 MB if everybody does their worst, and some megabytes otherwise.
const (
	maxFeeds   = 64 // the one that was used longest ago is forgotten first
	maxEntries = 40 // of a feed
	maxStreams = 3  // of a feed; over HTTP/1.1 a browser has six connections to a host, and pages need some
)

// feeds are the last requests of each person who has a session, in memory. The zero feeds is empty and
// ready.
//
// A feed has a random ID, which is an item of the session: who has the session sees the feed, and
// nobody else. When a session gets a new key, its feed gets a new ID, so that who knew the old key does
// not look on.
type feeds struct {
	mu       sync.Mutex
	byID     map[string]*list.Element
	byCookie map[cookieHash]string // IDs, by the session cookie that led to each last
	order    list.List             // of *feed, the one that was used longest ago in front
	closed   bool
}

// A feed is what happened in one session.
type feed struct {
	id      string
	cookie  cookieHash
	last    uint64        // number of the newest entry
	entries []*entry      // the newest at the end
	changed chan struct{} // closed when there is a new entry or the feed has ended
	streams int
	ended   bool
}

// A cookieHash stands for the value of a session cookie, which is kept nowhere.
type cookieHash [sha256.Size]byte

// hashCookie returns the zero hash, which stands for none, when there is no value.
func hashCookie(value string) cookieHash {
	if value == "" {
		return cookieHash{}
	}
	return sha256.Sum256([]byte(value))
}

// know enters a feed, if it is not there yet, and the cookie by which requests that never reach a
// handler are known to be its own.
func (f *feeds) know(id string, cookie cookieHash) {
	f.mu.Lock()
	defer f.mu.Unlock()
	feed := f.use(id)
	if cookie == (cookieHash{}) || feed.cookie == cookie {
		return
	}
	delete(f.byCookie, feed.cookie)
	feed.cookie = cookie
	f.byCookie[cookie] = id
}

// of returns the feed of a cookie, or "".
func (f *feeds) of(cookie cookieHash) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byCookie[cookie]
}

// add puts an entry at the end of a feed and numbers it.
func (f *feeds) add(id string, e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	feed := f.use(id)
	feed.last++
	e.Number = feed.last
	if len(feed.entries) >= maxEntries {
		feed.entries = slices.Delete(feed.entries, 0, 1)
	}
	feed.entries = append(feed.entries, e)
	feed.announce()
}

// move gives a feed another ID. Streams of the old one end.
func (f *feeds) move(from, to string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, ok := f.byID[from]
	if !ok {
		return
	}
	was := old.Value.(*feed)
	f.remove(old)
	now := f.use(to)
	now.last, now.entries = was.last, was.entries
}

// end forgets a feed. Its streams end.
func (f *feeds) end(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, ok := f.byID[id]; ok {
		f.remove(e)
	}
}

// entriesOf returns the entries of a feed, the newest at the end.
func (f *feeds) entriesOf(id string) []*entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.byID[id]
	if !ok {
		return nil
	}
	return slices.Clone(e.Value.(*feed).entries)
}

// since returns the entries of a feed after a number, and what is closed when there are more: nil when
// the feed has ended, so that these were the last. A number that the feed has not reached yet is another
// feed's, and all entries are new then.
func (f *feeds) since(feed *feed, number uint64) (entries []*entry, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if number > feed.last {
		number = 0
	}
	i := slices.IndexFunc(feed.entries, func(e *entry) bool { return e.Number > number })
	if i >= 0 {
		entries = slices.Clone(feed.entries[i:])
	}
	if !feed.ended && !f.closed {
		more = feed.changed
	}
	return entries, more
}

// subscribe counts a stream of a feed, and reports false when there are enough. Who has subscribed
// calls leave.
func (f *feeds) subscribe(id string) (feed *feed, leave func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	feed = f.use(id)
	if feed.streams >= maxStreams {
		return nil, nil, false
	}
	feed.streams++
	return feed, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		feed.streams--
	}, true
}

// close ends all streams, and every later one.
func (f *feeds) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for e := f.order.Front(); e != nil; e = e.Next() {
		e.Value.(*feed).announce()
	}
}

// use returns the feed of an ID as the one that was used last. The caller holds f.mu.
func (f *feeds) use(id string) *feed {
	if e, ok := f.byID[id]; ok {
		f.order.MoveToBack(e)
		return e.Value.(*feed)
	}
	if f.byID == nil {
		f.byID, f.byCookie = make(map[string]*list.Element), make(map[cookieHash]string)
	}
	if f.order.Len() >= maxFeeds {
		f.remove(f.order.Front())
	}
	made := &feed{id: id, changed: make(chan struct{})}
	f.byID[id] = f.order.PushBack(made)
	return made
}

// remove forgets a feed and wakes its streams, which end. The caller holds f.mu.
func (f *feeds) remove(e *list.Element) {
	gone := e.Value.(*feed)
	delete(f.byID, gone.id)
	if f.byCookie[gone.cookie] == gone.id {
		delete(f.byCookie, gone.cookie)
	}
	f.order.Remove(e)
	gone.ended = true
	gone.announce()
}

// announce wakes the streams. The caller holds the lock of the feeds.
func (feed *feed) announce() {
	close(feed.changed)
	feed.changed = make(chan struct{})
}
