// Package board is the operators' page: whether codes arrive, in one sentence, with the figures behind it.
//
// It is HTML and SVG without a script, and loads nothing from other hosts. An open page reloads itself every ten
// seconds. The facts are cached for some seconds, so that many viewers cost as much as one. A source that does not
// answer in time is named on the page, which shows the rest.
package board

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"usher/vitals"
	"usher/web/embedded"
)

//go:embed board.html article.html static/board.css static/icon.svg texts/*.json
var files embed.FS

// Path is where the page is served. Its style and icon are below it.
const Path = "/ops"

// policy allows the page its own style and icon and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Board answers requests for the page. It is safe for concurrent use; make it with [New].
type Board struct {
	sources Sources
	now     func() time.Time
	page    *template.Template
	texts   map[string]embedded.Texts // by language
	assets  embedded.Assets           // the style and the icon
	caches  map[string]*cache         // by the name of the range
	watch   vitals.Watch              // since when something is wrong
}

// New returns the page of the sources. Times are shown in the time zone of now.
func New(sources Sources, now func() time.Time) (*Board, error) {
	texts, err := embedded.ReadTexts(files, "zh", "en")
	if err != nil {
		return nil, err
	}
	assets, err := embedded.HashAssets(files, "static/board.css", "static/icon.svg")
	if err != nil {
		return nil, err
	}
	page, err := template.ParseFS(files, "board.html", "article.html")
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	b := &Board{sources: sources, now: now, page: page, texts: texts, assets: assets, caches: map[string]*cache{}}
	for _, r := range ranges() {
		b.caches[r.Name] = &cache{}
	}
	return b, nil
}

// Register adds the page, its style and its icon to a mux.
func (b *Board) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path, b.servePage)
	mux.HandleFunc("GET "+Path+"/{file}", b.serveFile)
	mux.HandleFunc("GET "+Path+"/runbooks", b.serveRunbooks)
	mux.HandleFunc("GET "+docsPath+"{page...}", b.serveDoc)
	mux.Handle("GET /{$}", http.RedirectHandler(Path, http.StatusFound))
}

func (b *Board) servePage(w http.ResponseWriter, r *http.Request) {
	asked := readRequest(r)
	v := b.view(asked, b.facts(r.Context(), asked.Range))
	if r.URL.Query().Get("format") == "json" {
		b.serveVerdict(w, v)
		return
	}
	if !asked.Paused {
		w.Header().Set("Refresh", "10") // seconds, until the viewer pauses it
	}
	b.write(w, "board.html", v)
}

// empty are the facts of pages that show none.
func (b *Board) empty() vitals.Facts { return vitals.Facts{At: b.now()} }

// write answers with a page.
func (b *Board) write(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "same-origin")
	var page bytes.Buffer // a page that fails half-way is answered with 500 instead
	if err := b.page.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes())
}

// serveFile serves one version of the style and the icon. Another version is not found, so that no cache keeps new content
// under an old address.
func (b *Board) serveFile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	w.Header().Set("Content-Security-Policy", policy)
	http.ServeFileFS(w, r, b.assets, r.PathValue("file"))
}
