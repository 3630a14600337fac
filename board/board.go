// Package board is the operators' page: whether codes arrive, in one sentence, with the figures behind it.
//
// It is HTML and SVG made here, without any script, and asks nobody but its own address. A page that is open
// asks again every ten seconds; what it asks the stores is kept for some seconds, so that many viewers cost as
// much as one. Sources that do not answer in time are named on the page, which shows the rest.
package board

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"time"
)

//go:embed board.html static/board.css static/icon.svg texts/*.json
var files embed.FS

// Path is where the page is served. Its style and icon are below it.
const Path = "/ops"

// policy lets the page have its own style and icon and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Board answers requests for the page. It is safe for concurrent use; make it with [New].
type Board struct {
	sources  Sources
	now      func() time.Time
	page     *template.Template
	texts    map[string]map[string]string
	version  string // of the style and the icon, for their addresses
	memories map[string]*memory
}

// New returns the page of the sources, whose times are shown in the zone of now.
func New(sources Sources, now func() time.Time) (*Board, error) {
	texts, err := loadTexts()
	if err != nil {
		return nil, err
	}
	page, err := template.ParseFS(files, "board.html")
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	sum := sha256.New()
	for _, name := range []string{"static/board.css", "static/icon.svg"} {
		content, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the style: %w", err)
		}
		_, _ = sum.Write(content)
	}
	b := &Board{
		sources: sources, now: now, page: page, texts: texts, memories: map[string]*memory{},
		version: hex.EncodeToString(sum.Sum(nil)[:6]),
	}
	for _, r := range ranges() {
		b.memories[r.Name] = &memory{}
	}
	return b, nil
}

// Register puts the page and what belongs to it on a mux.
func (b *Board) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path, b.servePage)
	mux.HandleFunc("GET "+Path+"/{version}/{file}", b.serveFile)
	mux.Handle("GET /{$}", http.RedirectHandler(Path, http.StatusFound))
}

func (b *Board) servePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "same-origin")
	asked := readRequest(r)
	facts := b.facts(r.Context(), asked.Range)
	var page bytes.Buffer
	if err := b.page.Execute(&page, b.view(asked, facts)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes())
}

// serveFile serves the style and the icon, whose address changes with their content.
func (b *Board) serveFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if r.PathValue("version") != b.version || name != "board.css" && name != "icon.svg" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	w.Header().Set("Content-Security-Policy", policy)
	http.ServeFileFS(w, r, files, "static/"+name)
}
