package lesson

import (
	_ "embed" // for the samples
	"io"
	"net/http"
	"strings"

	"github.com/lockstep-http/lockstep"
)

// The sample of the lesson in both languages: what is shown is what is compiled here, and what a test hands
// to a real Django.
var (
	//go:embed course_sample.py
	samplePython string

	//go:embed course_sample.go
	sampleGo string
)

// Welcome is the view of the lesson, which does by hand what settings do for every view. It is here to be
// shown beside the one in Python, and run by a test.
//
//nolint:gosec // it redirects to its own host, which the Guard has checked, and is to look as in the lesson
func Welcome(w http.ResponseWriter, r *http.Request) {
	if !lockstep.IsSecure(r) {
		url := lockstep.AbsoluteURI(r, "")
		http.Redirect(w, r, strings.ReplaceAll(url, "http://", "https://"), http.StatusFound)
		return
	}
	cookie := lockstep.Cookie{Name: "sessionid", Value: "abc123", Secure: true}
	if err := lockstep.SetCookie(w, r, cookie); err != nil {
		http.Error(w, "no cookie", http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, "welcome")
}

// sample is the lesson as code, and the settings that make the code unnecessary.
func sample(w *vocabulary) Sample {
	return Sample{
		Intro: w.Course.Sample.Intro, Python: samplePython, Go: function(sampleGo, "Welcome"),
		Settings: w.Course.Sample.Settings,
	}
}

// function is the text of a function in a file that gofmt has been over.
func function(file, name string) string {
	_, text, _ := strings.Cut(file, "\nfunc "+name+"(")
	text, _, _ = strings.Cut(text, "\n}\n")
	return "func " + name + "(" + text + "\n}\n"
}
