// Package expect says what a run is expected to have done, in sentences such as
//
//	cookie sessionid never over http
//
// [Parse] reads one, and [Expectation.Check] holds it against a [trace.Run], saved or made a moment ago.
// An expectation is for the one who reads a failed build: the [Answer] names the request that decided, and
// the rule.
//
// What the run never met decides nothing in favour: an expectation about a cookie that the site never
// set does not hold, so that a name with a mistake in it does not pass for ever. "cookie NAME never",
// without a place, is about absence, and holds then.
package expect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// maxText is how many bytes an expectation may have.
const maxText = 1 << 10

// An Expectation is one that was read.
type Expectation struct {
	text  string
	rule  rule.ID // that it names; "" is none
	check func(*trace.Run) Answer
}

// String returns the expectation as it was written, with single spaces.
func (e Expectation) String() string { return e.text }

// Rule returns the rule that the expectation is about, and "" when it is about none. Whether there is
// such a rule is for the caller to know.
func (e Expectation) Rule() rule.ID { return e.rule }

// Check holds the expectation against a run.
func (e Expectation) Check(run *trace.Run) Answer { return e.check(run) }

// An Answer says whether an expectation holds, and what decided.
type Answer struct {
	Holds      bool
	Visit, Hop int     // the request that decided, counted from 1; 0 is none
	Rule       rule.ID // the rule of the verdict that decided; "" is none
	Why        string  // in words
}

// A Form is one form of the language.
type Form struct{ Form, Meaning string }

// Forms returns the language, for help and reference. WHERE is "over http" or "over https", "at URL" or
// "at PATH", both, or nothing.
func Forms() []Form {
	return []Form{
		{"cookie NAME stored [WHERE]", "an answer set it and the browser stored it"},
		{"cookie NAME not stored [WHERE]", "answers set it, and the browser refused it each time"},
		{"cookie NAME sent [WHERE]", "at least one request carried it"},
		{"cookie NAME not sent [WHERE]", "no request carried it"},
		{"cookie NAME never [WHERE]", "no answer set it, stored or not, and no request carried it"},
		{"cookie NAME has ATTRIBUTE ...", "it is stored with Secure, HttpOnly, SameSite=Lax (or Strict, None, Default), Path=/, Domain=shop.test, host-only, session or persistent, always"},
		{"no cookie [WHERE]", "no answer set any cookie and no request carried any"},
		{"http redirects to https", "the first answer to each visit over http leads to https, or HSTS upgraded it"},
		{"hsts [at least DURATION]", "after its last answer over https the host is a known HSTS host, for that long, such as 24h or 365d"},
		{"rule RULE [SUBJECT]", "a verdict, about the subject, fell by that rule or has it among its notes"},
		{"no rule RULE [SUBJECT]", "none did"},
	}
}

// Parse reads an expectation.
func Parse(text string) (Expectation, error) {
	if len(text) > maxText {
		return Expectation{}, fmt.Errorf("an expectation has at most %d bytes, and this one %d", maxText, len(text))
	}
	words := strings.Fields(text)
	e := Expectation{text: strings.Join(words, " ")}
	p := parser{words: words}
	var err error
	switch {
	case p.take("cookie"):
		e.check, err = p.cookie()
	case p.take("no", "cookie"):
		var at where
		at, err = p.where()
		e.check = func(run *trace.Run) Answer { return noCookie(run, at) }
	case p.take("http", "redirects", "to", "https"):
		e.check = redirects
	case p.take("hsts"):
		e.check, err = p.hsts()
	case p.take("rule"):
		e.rule, e.check, err = p.rule(true)
	case p.take("no", "rule"):
		e.rule, e.check, err = p.rule(false)
	default:
		err = errors.New("it begins with none of cookie, no cookie, http redirects to https, hsts, rule, no rule")
	}
	if err == nil && len(p.words) > 0 {
		err = fmt.Errorf("%q is more than there is to read", p.words[0])
	}
	if err != nil {
		return Expectation{}, fmt.Errorf("reading expectation %q: %w", e.text, err)
	}
	return e, nil
}

// A parser has the words that are still to be read.
type parser struct{ words []string }

// take reads these words, or nothing.
func (p *parser) take(words ...string) bool {
	if len(p.words) < len(words) || !slices.Equal(p.words[:len(words)], words) {
		return false
	}
	p.words = p.words[len(words):]
	return true
}

// next reads any word.
func (p *parser) next(what string) (string, error) {
	if len(p.words) == 0 {
		return "", fmt.Errorf("%s is missing", what)
	}
	word := p.words[0]
	p.words = p.words[1:]
	return word, nil
}

func (p *parser) cookie() (func(*trace.Run) Answer, error) {
	name, err := p.next("the name of the cookie")
	if err != nil {
		return nil, err
	}
	if p.take("has") {
		return p.has(name)
	}
	var check func(*trace.Run, string, where) Answer
	switch {
	case p.take("stored"):
		check = stored
	case p.take("not", "stored"):
		check = notStored
	case p.take("sent"):
		check = sent
	case p.take("not", "sent"):
		check = notSent
	case p.take("never"):
		check = never
	default:
		return nil, errors.New("behind the name stands one of stored, not stored, sent, not sent, never, has")
	}
	at, err := p.where()
	return func(run *trace.Run) Answer { return check(run, name, at) }, err
}

// where reads the place of an expectation, which may be anywhere.
func (p *parser) where() (where, error) {
	var w where
	if p.take("over") {
		scheme, err := p.next("http or https")
		if err != nil || scheme != "http" && scheme != "https" {
			return w, errors.New("behind over stands http or https")
		}
		w.scheme = scheme
	}
	if p.take("at") {
		at, err := p.next("a URL or a path")
		if err != nil {
			return w, err
		}
		if w.at, err = place(at); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (p *parser) has(name string) (func(*trace.Run) Answer, error) {
	if len(p.words) == 0 {
		return nil, errors.New("an attribute is missing behind has")
	}
	var wanted []attribute
	for len(p.words) > 0 {
		word, _ := p.next("")
		a, err := parseAttribute(word)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, a)
	}
	return func(run *trace.Run) Answer { return has(run, name, wanted) }, nil
}

func (p *parser) hsts() (func(*trace.Run) Answer, error) {
	var least time.Duration
	if p.take("at", "least") {
		word, err := p.next("a duration")
		if err != nil {
			return nil, err
		}
		if least, err = duration(word); err != nil {
			return nil, err
		}
	}
	return func(run *trace.Run) Answer { return hsts(run, least) }, nil
}

// duration is [time.ParseDuration] with days.
func duration(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	if days, found := strings.CutSuffix(s, "d"); found {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * day, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration such as 24h or 365d", s)
	}
	return d, nil
}

func (p *parser) rule(wanted bool) (rule.ID, func(*trace.Run) Answer, error) {
	word, err := p.next("the ID of a rule")
	if err != nil {
		return "", nil, err
	}
	id, subject := rule.ID(word), ""
	if len(p.words) > 0 {
		subject, _ = p.next("")
	}
	return id, func(run *trace.Run) Answer { return fell(run, id, subject, wanted) }, nil
}
