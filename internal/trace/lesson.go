package trace

import (
	"context"
	"net/http"
	"net/url"
	"slices"
)

// Lesson makes the visits of the lesson to target, whichever of the two schemes it has: over http,
// following where that leads; over https, when the first visit did not get there by itself; over
// https again; and over http again. What gave no answer is not asked again.
func (c *Client) Lesson(ctx context.Context, target string) (Run, error) {
	return c.lesson(ctx, target, false)
}

// LessonOverHTTPS is Lesson without its first visit, as of somebody who types https from the beginning.
func (c *Client) LessonOverHTTPS(ctx context.Context, target string) (Run, error) {
	return c.lesson(ctx, target, true)
}

func (c *Client) lesson(ctx context.Context, target string, securely bool) (run Run, err error) {
	u, err := parseTarget(target)
	if err != nil {
		return Run{}, err
	}
	defer func() {
		if err == nil { // one that was stopped tells nothing
			run.conclude()
		}
	}()
	var (
		plain   = withScheme(u, "http")
		secured = withScheme(u, "https")
	)
	visit := func(target string) (Visit, error) {
		v, err := c.Visit(ctx, http.MethodGet, target, nil)
		if len(v.Hops) > 0 {
			run.Visits = append(run.Visits, v)
		}
		return v, err
	}
	first := plain
	if securely {
		first = secured
	}
	v, err := visit(first)
	if err != nil {
		return run, err
	}
	if !v.reachedHTTPS() {
		if v, err = visit(secured); err != nil {
			return run, err
		}
	}
	if v.answered((*Hop).Secure) {
		if _, err = visit(secured); err != nil {
			return run, err
		}
	} else if !run.Visits[0].answered(func(h *Hop) bool { return !h.Secure() }) {
		return run, nil
	}
	_, err = visit(plain)
	return run, err
}

func (v Visit) reachedHTTPS() bool {
	return slices.ContainsFunc(v.Hops, func(h Hop) bool { return h.Secure() })
}

// AnsweredOverHTTPS reports whether any request over https was answered.
func (r *Run) AnsweredOverHTTPS() bool {
	return slices.ContainsFunc(r.Visits, func(v Visit) bool { return v.answered((*Hop).Secure) })
}

func (v Visit) answered(over func(*Hop) bool) bool {
	for i := range v.Hops {
		if over(&v.Hops[i]) && v.Hops[i].Response != nil {
			return true
		}
	}
	return false
}

// withScheme is u under another scheme. A port that is the default of either scheme is dropped; any
// other is kept, as a redirect to https keeps it.
func withScheme(u *url.URL, scheme string) string {
	other := *u
	other.Scheme = scheme
	if port := u.Port(); port == "80" || port == "443" {
		other.Host = u.Host[:len(u.Host)-len(port)-1]
	}
	return other.String()
}
