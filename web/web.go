// Package web embeds the pages people see and renders them.
//
// Every page works as a plain form without a script; static/app.js, the only script, turns the same
// forms into calls of the JSON API. Field names are those of the API in both cases.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed templates/*.html static/app.css static/app.js static/icon.svg texts/*.json
var files embed.FS

// pageNames lists the pages; each has a file of that name beside templates/layout.html.
var pageNames = [...]string{"register", "login", "forgot", "activate", "decline", "undo", "account", "error"}

// Renderer renders the pages. It is immutable after New and safe for concurrent use.
type Renderer struct {
	pages  map[string]*template.Template
	texts  map[string]map[string]string
	assets assets
}

// New parses the embedded templates and texts. It fails only when the embedded files are broken.
func New() (*Renderer, error) {
	texts, err := loadTexts()
	if err != nil {
		return nil, err
	}
	shared, err := template.ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse shared templates: %w", err)
	}
	r := &Renderer{pages: make(map[string]*template.Template), texts: texts, assets: hashAssets()}
	for _, name := range pageNames {
		page, err := shared.Clone()
		if err != nil {
			return nil, fmt.Errorf("clone shared templates: %w", err)
		}
		if _, err := page.ParseFS(files, "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		r.pages[name] = page
	}
	return r, nil
}

// Render writes the page called name: register, login, forgot, activate, undo, account or error. Nothing
// is written unless the whole page could be rendered, so a caller can still answer with an error.
func (r *Renderer) Render(w io.Writer, name string, p Page) error {
	page, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("render page: no page is called %q", name)
	}
	var out bytes.Buffer
	if err := page.ExecuteTemplate(&out, "layout.html", r.view(name, p)); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	if _, err := out.WriteTo(w); err != nil {
		return fmt.Errorf("write page %s: %w", name, err)
	}
	return nil
}

// CSP returns the Content-Security-Policy that every page keeps to: nothing from elsewhere, nothing
// inline, no framing. Images and audio may be data URIs, because captchas are.
func CSP() string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"media-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; " +
		"frame-ancestors 'none'"
}
