// Package site is the app that the demo and the scenarios put behind the Guard.
//
// An [App] answers each path with a [Page]: something done through the library, such as counting
// visits in the session, and lines added to the answer as they are given. It does nothing about
// HTTPS or about attributes of cookies: that is the Guard's affair, which is what the demo shows.
package site

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// A Page is how an App answers one path.
type Page struct {
	Status int         // 0: 200
	Lines  [][2]string // header lines added to the answer, as they are
	Do     Doing       // what it does before it answers; nil: nothing

	// Meanwhile is a path to which another request with the same cookies is made, from beginning to
	// end, after Do and before the answer: two requests of one session at a time. "" makes none.
	Meanwhile string
}

// A Doing acts on one request and returns the text of the answer.
type Doing func(w http.ResponseWriter, r *http.Request) (text string, err error)

// An App answers the paths it has pages for, and every other with Default. Set may be called while it
// answers, as a scenario does before which another browser still asks for something of its own.
type App struct {
	Pages   map[string]Page // to begin with; Set changes it
	Default Page
	Beside  func(r *http.Request) // performs the request of Meanwhile, through everything before the App

	mu    sync.RWMutex // of Pages
	users users        // those who can log in
}

// ServeHTTP implements [http.Handler].
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.RLock()
	page, ok := a.Pages[r.URL.Path]
	a.mu.RUnlock()
	if !ok {
		page = a.Default
	}
	text := ""
	r = r.WithContext(context.WithValue(r.Context(), appKey{}, a))
	if page.Do != nil {
		var err error
		if text, err = page.Do(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if page.Meanwhile != "" && a.Beside != nil {
		a.Beside(beside(r, page.Meanwhile))
	}
	for _, line := range page.Lines {
		w.Header()[line[0]] = append(w.Header()[line[0]], line[1])
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	if page.Status != 0 {
		w.WriteHeader(page.Status)
	}
	fmt.Fprintln(w, text)
}

// beside is a request to path from the browser that sent r, without what the context of r holds.
func beside(r *http.Request, path string) *http.Request {
	other := r.Clone(context.Background()) //nolint:contextcheck // another request, and nobody's child
	other.Method, other.RequestURI = http.MethodGet, path
	other.URL.Path, other.URL.RawPath, other.URL.RawQuery = path, "", ""
	return other
}

// On returns the page for path, to be changed, as a copy of Default when there is none yet.
func (a *App) On(path string) Page {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if p, ok := a.Pages[path]; ok {
		return p
	}
	p := a.Default
	p.Lines = slices.Clone(p.Lines)
	return p
}

// Set makes page the answer to path.
func (a *App) Set(path string, page Page) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Pages == nil {
		a.Pages = make(map[string]Page)
	}
	a.Pages[path] = page
}

// Named returns the Doing called name, with its arguments in words.
func Named(name string, words []string) (Doing, error) {
	if do, ok := plainDoings[name]; ok && len(words) == 0 {
		return do, nil
	}
	switch {
	case name == "cookie" && len(words) > 0:
		return setCookie(words)
	case name == "html" && len(words) > 0:
		return html(words), nil
	case name == "delete-cookie" && len(words) == 1:
		return deleteCookie(words[0]), nil
	case userDoings[name] != nil && len(words) == 1:
		return userDoings[name](words[0]), nil
	}
	names := make([]string, 0, len(plainDoings)+len(userDoings)+3)
	for n := range plainDoings {
		names = append(names, n)
	}
	for n := range userDoings {
		names = append(names, n+" NAME")
	}
	names = append(names, "cookie NAME=VALUE [ATTRIBUTE ...]", "delete-cookie NAME", "html MARKUP")
	slices.Sort(names)
	return nil, fmt.Errorf("no app %q: there are %s", strings.Join(append([]string{name}, words...), " "), strings.Join(names, ", "))
}
