package main

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

// contexts is a site of many names that sets a cookie of each SameSite at /login, and counts what is posted.
func contexts() http.Handler {
	var posted atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		for _, line := range []string{
			"sessionid=1; Secure; HttpOnly; SameSite=Lax; Path=/",
			"shared=1; Secure; SameSite=None; Path=/",
			"csrftoken=1; Secure; SameSite=Strict; Path=/",
			"plain=1; Secure; Path=/",
		} {
			w.Header().Add("Set-Cookie", line)
		}
	})
	for path, sameSite := range map[string]string{"/lax": "Lax", "/none": "None"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "sessionid=1; Secure; HttpOnly; Path=/; SameSite="+sameSite)
		})
	}
	mux.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", Secure: true, SameSite: http.SameSiteNoneMode})
	})
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {})
	mux.HandleFunc("/old", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://evil.test")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		http.Redirect(w, r, "/me", http.StatusFound)
	})
	mux.HandleFunc("/hsts", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=3600")
	})
	mux.HandleFunc("POST /pay", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Posted", fmt.Sprint(posted.Add(1)))
	})
	return mux
}
