package lab

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"

	"github.com/lockstep-http/lockstep/internal/lesson"
)

//go:embed assets
var assets embed.FS

// files are what the page is made of.
type files struct {
	template *template.Template
	texts    map[string]string // those of the page, by key
	served   map[string]*file  // by the path at which it is served, without the slash
}

// A file is served as it is, or packed. The tags differ, as what they name does.
type file struct {
	kind, tag string
	data      []byte
	packed    []byte
	packedTag string
}

var kinds = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".json": "application/json; charset=utf-8",
}

func readFiles() (*files, error) {
	f := &files{served: map[string]*file{}}
	var all struct {
		Page map[string]string `json:"page"`
	}
	if err := json.Unmarshal(lesson.Texts(), &all); err != nil {
		return nil, fmt.Errorf("reading the texts of the lab: %w", err)
	}
	f.texts = all.Page
	text, err := json.Marshal(all.Page)
	if err != nil {
		return nil, err
	}
	f.served["texts.json"] = newFile(kinds[".json"], text)
	entries, err := assets.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		data, err := assets.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, err
		}
		if kinds[path.Ext(e.Name())] != "" {
			f.served[e.Name()] = newFile(kinds[path.Ext(e.Name())], data)
		}
	}
	f.template, err = template.New("lab.html").Funcs(f.functions()).ParseFS(assets, "assets/lab.html")
	return f, err
}

func newFile(kind string, data []byte) *file {
	small := packed(data)
	return &file{kind, tagOf(data), data, small, tagOf(small)}
}

// tagOf is an ETag, by which a browser asks whether what it has is what there is.
func tagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// functions are those of the template: t is a text by its key.
func (f *files) functions() template.FuncMap {
	return template.FuncMap{
		"t": func(key string) (string, error) {
			if text, ok := f.texts[key]; ok {
				return text, nil
			}
			return "", fmt.Errorf("there is no text %q", key)
		},
		"word": func(v *bool) string {
			switch {
			case v == nil:
				return ""
			case *v:
				return "✓ "
			}
			return "✗ "
		},
	}
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	serve(w, r, s.files.served[strings.TrimPrefix(r.URL.Path, "/")])
}

// serve answers with what a browser may keep but asks about each time: another version of the program may
// listen on the same port tomorrow.
func serve(w http.ResponseWriter, r *http.Request, f *file) {
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Cache-Control", "no-cache")
	tag, data := f.tag, f.data
	if takesPacked(w, r) {
		tag, data = f.packedTag, f.packed
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	http.ServeContent(w, r, "", noTime, bytes.NewReader(data))
}

// maxWeight is how many bytes the page, its style, its scripts and its texts may have together.
const maxWeight = 150_000
