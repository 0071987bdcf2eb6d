package trace

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
)

// Circumstances are those in which a URL is asked for, in the words of a person. "" stands for what is
// usual; the zero Circumstances are those of a URL that is typed.
type Circumstances struct {
	As          string // navigate, form, fetch, iframe, image or script
	Method      string
	Credentials string // omit, same-origin or include
	From        string // the URL of the page that asks
	Top         string // the URL of the page that the window shows
}

// A CircumstancesError is why circumstances mean nothing, and what to say instead.
type CircumstancesError struct{ Problem, Hint string }

// Error implements error.
func (e *CircumstancesError) Error() string { return e.Problem }

// The kinds of top-level navigations.
const (
	kindNavigate = "navigate"
	kindForm     = "form"
)

// Kinds are the words for As.
func Kinds() []string {
	return []string{kindNavigate, kindForm, string(browser.AsFetch), string(browser.AsIframe), string(browser.AsImage), string(browser.AsScript)}
}

// Typed reports whether they are those of a URL that a person types.
func (x Circumstances) Typed() bool {
	x.As, x.Method = strings.TrimPrefix(x.As, kindNavigate), strings.TrimPrefix(normalMethod(x.Method), http.MethodGet)
	return x == Circumstances{}
}

// Navigation is the navigation to target in these circumstances. The error, when they mean nothing, is a
// [*CircumstancesError].
func (x Circumstances) Navigation(target string) (Navigation, error) {
	n := Navigation{URL: target}
	if x.Typed() {
		return n, nil
	}
	x.As = cmp.Or(x.As, kindNavigate)
	var ok bool
	if n.As, ok = browser.ParseDestination(x.As); !ok {
		return n, &CircumstancesError{fmt.Sprintf("nothing is asked for as %q", x.As), "there are " + strings.Join(Kinds(), ", ")}
	}
	for _, set := range []func(*Navigation) error{x.setMethod, x.setInitiator, x.setCredentials} {
		if err := set(&n); err != nil {
			return n, err
		}
	}
	return n, nil
}

// formType is the Content-Type of a form without fields, as it is sent.
const formType = "application/x-www-form-urlencoded"

// setMethod gives n the method, if what is asked for in that way can have it, and what a form sends.
func (x Circumstances) setMethod(n *Navigation) error {
	n.Method = cmp.Or(normalMethod(x.Method), map[string]string{kindForm: http.MethodPost}[x.As], http.MethodGet)
	if n.As == browser.AsFetch {
		return checkFetchMethod(n.Method)
	}
	allowed := []string{http.MethodGet}
	if n.As == browser.AsNavigation || n.As == browser.AsIframe {
		allowed = append(allowed, http.MethodPost)
	}
	if !slices.Contains(allowed, n.Method) {
		return &CircumstancesError{
			fmt.Sprintf("a browser never sends %q for what is asked for as %s", n.Method, x.As),
			"links, images and scripts are GET, forms and frames GET or POST; a script may send others: --as fetch --method " + n.Method,
		}
	}
	if n.Method == http.MethodPost {
		n.ContentType, n.Body = formType, []byte{}
	}
	return nil
}

// checkFetchMethod refuses what fetch does (Fetch standard, section 2.2.1).
func checkFetchMethod(method string) error {
	if strings.ContainsFunc(method, func(r rune) bool { return !isTokenRune(r) }) {
		return &CircumstancesError{fmt.Sprintf("%q is no method", method), "a method is a word such as GET, POST or DELETE"}
	}
	if slices.Contains([]string{http.MethodConnect, http.MethodTrace, "TRACK"}, strings.ToUpper(method)) {
		return &CircumstancesError{"fetch refuses the method " + method, "no script can send it"}
	}
	return nil
}

// isTokenRune reports whether r may stand in a token (RFC 9110, section 5.6.2).
func isTokenRune(r rune) bool {
	return r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

// normalMethod is a method as it is sent: some are written in capitals whatever a script has, and others,
// such as patch, are not.
func normalMethod(method string) string {
	upper := strings.ToUpper(method)
	if slices.Contains([]string{"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"}, upper) {
		return upper
	}
	return method
}

// setInitiator gives n the page that asks, in a frame of the one on top when that is another.
func (x Circumstances) setInitiator(n *Navigation) error {
	if n.As == browser.AsNavigation {
		switch {
		case x.Top != "":
			return &CircumstancesError{"--top says in which window a page is, and what the window itself goes to has none around it", "leave --top out, or ask for it --as iframe"}
		case x.From == "":
			return &CircumstancesError{
				fmt.Sprintf("nobody types a %s", n.Method),
				"say on which page the form is: --from URL, its own site's or another one's",
			}
		}
	}
	from, err := pageURL("--from", x.From)
	if err != nil {
		return err
	}
	top, err := pageURL("--top", x.Top)
	if err != nil {
		return err
	}
	switch {
	case from == nil && top == nil:
		return &CircumstancesError{
			fmt.Sprintf("nobody types what is asked for as %s: a page asks", x.As),
			"say which page: --from URL, such as --from https://app.example/",
		}
	case from == nil:
		from, top = top, nil
	}
	n.Initiator = &browser.Document{URL: from}
	if top != nil && top.String() != from.String() {
		n.Initiator.Parent = &browser.Document{URL: top}
	}
	return nil
}

// pageURL reads the URL of a page; "" is none.
func pageURL(flag, text string) (*url.URL, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // none
	}
	u, err := url.Parse(text)
	if err == nil && u.Scheme == "file" {
		return u, nil
	}
	if u, err = parseTarget(text); err != nil {
		return nil, &CircumstancesError{flag + ": " + err.Error(), "a page has a URL such as https://app.example/"}
	}
	return u, nil
}

// setCredentials gives n the credentials mode, where a page can choose one.
func (x Circumstances) setCredentials(n *Navigation) error {
	if x.Credentials == "" {
		return nil
	}
	mode, ok := browser.ParseCredentials(x.Credentials)
	switch {
	case !ok:
		return &CircumstancesError{fmt.Sprintf("there is no credentials mode %q", x.Credentials), "there are omit, same-origin and include"}
	case n.As == browser.AsNavigation || n.As == browser.AsIframe:
		return &CircumstancesError{
			"--credentials is the mode of a fetch, and what is asked for as " + x.As + " always has the mode include",
			"leave --credentials out, or ask for it --as fetch",
		}
	case n.As != browser.AsFetch && mode == browser.CredentialsOmit:
		return &CircumstancesError{
			"no page can ask for an " + x.As + " without credentials at its own origin",
			"crossorigin=anonymous is --credentials same-origin, and crossorigin=use-credentials is include",
		}
	}
	n.Credentials = mode
	return nil
}
