package lesson

import (
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// A check asks whether something holds of a run, and says at which step that shows and by which rule. It
// reads the verdicts of the run and knows nothing of settings, so that every way to make it hold counts.
type check func(*Run) (bool, answer)

// keepsOffHTTP holds when a cookie never goes over http.
func keepsOffHTTP(cookie string) check {
	return func(r *Run) (bool, answer) {
		var shown answer
		for _, number := range r.own() {
			c, v, ok := r.at(number).onHTTP(cookie)
			if c == bare {
				return false, answer{step: number, rule: v.Rule}
			}
			if ok {
				shown = answer{step: number, rule: v.Rule}
			}
		}
		return true, shown
	}
}

// goesInClear holds when a cookie goes over http at some step.
func goesInClear(cookie string) check { return not(keepsOffHTTP(cookie)) }

// goesSealed holds when a cookie goes along over https at some step.
func goesSealed(cookie string) check {
	return func(r *Run) (bool, answer) {
		var shown answer
		for _, number := range r.own() {
			for _, v := range r.at(number).all(rule.SendCookie, cookie) {
				if v.Yes && v.fact("secure connection") == "true" {
					return true, answer{step: number, rule: v.Rule}
				}
				shown = answer{step: number, rule: v.Rule}
			}
		}
		return false, shown
	}
}

// storedWith holds when a cookie is stored with a flag that says so.
func storedWith(cookie, flag, value string) check {
	return func(r *Run) (bool, answer) {
		var shown answer
		for _, number := range r.own() {
			for _, v := range r.at(number).all(rule.StoreCookie, cookie) {
				shown = answer{step: number, rule: v.Rule}
				if v.Yes && v.fact(flag) == value {
					return true, shown
				}
			}
		}
		return false, shown
	}
}

// redirects holds when the first request that the site does not take for secure is answered with the way to
// https.
func redirects(r *Run) (bool, answer) {
	for _, number := range r.own() {
		for _, v := range r.at(number).all(rule.RedirectToHTTPS, "") {
			if v.Rule != "redirect-already-secure" {
				return v.Yes, answer{step: number, rule: v.Rule}
			}
		}
	}
	return false, answer{}
}

// upgraded holds when the browser turns to https by itself at a step, before anything leaves.
func upgraded(number int) check {
	return func(r *Run) (bool, answer) {
		s := r.at(number)
		if s == nil {
			return false, answer{}
		}
		v, _ := s.opening(rule.UpgradeToHTTPS, "")
		return v.Yes, answer{step: number, rule: v.Rule}
	}
}

// served holds when the person gets a page in the end.
func served(r *Run) (bool, answer) {
	for _, number := range slices.Backward(r.own()) {
		if s := r.at(number); !s.Skipped {
			return strings.Contains(s.answered(), "200, processed"), answer{step: number, rule: s.Rule}
		}
	}
	return false, answer{}
}

// noLoop holds when no chain of redirects is given up.
func noLoop(r *Run) (bool, answer) {
	var shown answer
	for _, number := range r.own() {
		for _, v := range r.at(number).all(rule.FollowRedirect, "") {
			shown = answer{step: number, rule: v.Rule}
			if v.Rule == "follow-loop" || v.Rule == "follow-too-many" {
				return false, shown
			}
		}
	}
	return true, shown
}

// forgeryFails holds when no form that another site's page sends is accepted with the session of the person.
func forgeryFails(r *Run) (bool, answer) {
	var shown answer
	for i := range r.Steps {
		s := &r.Steps[i]
		for _, v := range s.all(rule.CheckCSRF, "") {
			if v.Rule == "csrf-safe-method" || !foreign(s) {
				continue
			}
			shown = answer{step: s.Number, rule: v.Rule}
			session, _ := s.opening(rule.LoadSession, "") // of the form, and not of where it leads
			if v.Yes && session.Yes {
				return false, shown
			}
		}
	}
	return true, shown
}

// foreign reports whether the requests of a step come from a page of another site.
func foreign(s *Step) bool {
	return slices.ContainsFunc(s.Verdicts, func(v Verdict) bool { return v.fact("same-site request") == "false" })
}

// found holds when the site finds the session of the person at a step.
func found(number int) check {
	return func(r *Run) (bool, answer) {
		s := r.at(number)
		if s == nil {
			return false, answer{}
		}
		v, _ := s.opening(rule.LoadSession, "")
		return v.Yes, answer{step: number, rule: v.Rule}
	}
}

// firstHarm is the first step at which somebody else gets enough to act as the person.
func firstHarm(r *Run) answer {
	for i := range r.Steps {
		for _, seen := range r.Steps[i].Attacker {
			if seen.Harm {
				return answer{step: i + 1, rule: seen.Rule}
			}
		}
	}
	return answer{}
}

// both holds when all of several hold. It shows the first that does not.
func both(checks ...check) check {
	return func(r *Run) (ok bool, shown answer) {
		for _, c := range checks {
			if ok, shown = c(r); !ok {
				return false, shown
			}
		}
		return true, shown
	}
}

func not(c check) check {
	return func(r *Run) (bool, answer) {
		ok, shown := c(r)
		return !ok, shown
	}
}
