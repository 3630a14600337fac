// Package web embeds the pages for people and renders them.
//
// Every page works as a plain form without JavaScript. static/app.js sends the same forms to the JSON API, by static/usher.js, which
// is made from the client in clients/typescript. The field names are those of the API in both cases.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"usher/brand"
	"usher/passwords/common"
	"usher/web/embedded"
)

//go:embed templates/*.html static/app.css static/admin.css static/app.js static/usher.js static/icon.svg static/touch-icon.png texts/*.json
var files embed.FS

// pageNames lists the pages; each has a file of that name beside templates/layout.html.
var pageNames = [...]string{"register", "check-mail", "login", "forgot", "activate", "code", "decline", "undo", "account", "admin", "admin-account", "error"}

// PageNames lists the pages.
func PageNames() []string { return slices.Clone(pageNames[:]) }

// Renderer renders the pages. It is immutable after New and safe for concurrent use.
type Renderer struct {
	pages  map[string]*template.Template
	texts  map[string]embedded.Texts
	assets embedded.Assets
	frame  *template.Template
	face   *brand.Brand
}

// New parses the embedded templates and texts, and dresses them in a team's face; nil is Usher's own. It fails when texts of the team do
// not fit, with one line for each mistake.
func New(face *brand.Brand) (*Renderer, error) {
	texts, err := readTexts(face)
	if err != nil {
		return nil, err
	}
	assets, err := readAssets(face)
	if err != nil {
		return nil, err
	}
	list, err := embedded.HashAssets(common.Files, common.File)
	if err != nil {
		return nil, err
	}
	maps.Copy(assets, list)
	shared, err := template.ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse shared templates: %w", err)
	}
	frame, err := template.ParseFS(files, "templates/frame.html")
	if err != nil {
		return nil, fmt.Errorf("parse page of the frame: %w", err)
	}
	r := &Renderer{pages: make(map[string]*template.Template), texts: texts, assets: assets, frame: frame, face: face}
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

// Render writes a page of pageNames. It writes only a complete page, so a caller can still answer with an error.
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

// CSP returns the Content-Security-Policy of every page: nothing from other origins, nothing inline, no framing. Images
// and audio may be data URIs, because captchas are. With a vendor's captcha a page may contain frames of its own origin, for
// the page of [Renderer.Frame]. Browsers also apply form-action to the redirect after a form, so it has the origins that people are
// sent back to.
func CSP(framing bool, returnOrigins ...string) string {
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"media-src data:; connect-src 'self'; form-action " +
		strings.Join(append([]string{"'self'"}, returnOrigins...), " ") + "; base-uri 'none'; frame-ancestors 'none'"
	if framing {
		policy += "; frame-src 'self'"
	}
	return policy
}

// The two languages of the pages. Everything that is not English is shown in Chinese.
const (
	chinese = "zh"
	english = "en"
)

// scriptTexts is the prefix of the texts that the script shows; they travel inside the page.
const scriptTexts = "js."

// ScriptTexts returns the texts of the script by their keys without prefix.
func (v view) ScriptTexts() map[string]string {
	texts := make(map[string]string)
	for key, text := range v.Texts {
		if name, ok := strings.CutPrefix(key, scriptTexts); ok {
			texts[name] = text
		}
	}
	return texts
}

// Static returns the style sheet, the scripts, the pictures and the list of common passwords under the hashed names that
// [Renderer.AssetURL] returns, and nothing else: no directory listing, no unhashed name. Mount it
// below /static/ with Cache-Control "public, max-age=31536000, immutable".
func (r *Renderer) Static() fs.FS { return r.assets }

// AssetURL returns the path of an asset, such as "app.css" or "logo.svg". The path changes with
// the content. An unknown name gives an empty string.
func (r *Renderer) AssetURL(name string) string { return r.assets.URL("/static", name) }
