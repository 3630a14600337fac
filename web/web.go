// Package web embeds the pages for people and renders them.
//
// Every page works as a plain form without JavaScript. static/app.js, the only script, sends the same forms to the JSON
// API. The field names are those of the API in both cases.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
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
// and audio may be data URIs, because captchas are.
func CSP() string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"media-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; " +
		"frame-ancestors 'none'"
}

// The two languages of the pages. Everything that is not English is shown in Chinese.
const (
	chinese = "zh"
	english = "en"
)

// scriptTexts is the prefix of the texts that the script shows; they travel inside the page.
const scriptTexts = "js."

func loadTexts() (map[string]map[string]string, error) {
	all := make(map[string]map[string]string)
	for _, lang := range []string{chinese, english} {
		raw, err := files.ReadFile("texts/" + lang + ".json")
		if err != nil {
			return nil, fmt.Errorf("read texts: %w", err)
		}
		table := make(map[string]string)
		if err := json.Unmarshal(raw, &table); err != nil {
			return nil, fmt.Errorf("parse texts %s: %w", lang, err)
		}
		all[lang] = table
	}
	return all, nil
}

// T returns the text of a key in the page's language, formatted with args as [fmt.Sprintf] does. A missing key is an
// error, so that tests find a page with a missing text.
func (v view) T(key string, args ...any) (string, error) {
	text, ok := v.texts[key]
	if !ok {
		return "", fmt.Errorf("no text %q in language %q", key, v.Lang)
	}
	if len(args) == 0 {
		return text, nil
	}
	return fmt.Sprintf(text, args...), nil
}

// ScriptTexts returns the texts of the script by their keys without prefix.
func (v view) ScriptTexts() map[string]string {
	texts := make(map[string]string)
	for key, text := range v.texts {
		if name, ok := strings.CutPrefix(key, scriptTexts); ok {
			texts[name] = text
		}
	}
	return texts
}

// assets maps the public name of an asset, "app.<hash>.css", to its embedded file. Other names do not exist, so every
// answer may be cached for ever.
type assets map[string]string

// Static returns the style sheet, the script and the icon under the hashed names that
// [Renderer.AssetURL] returns, and nothing else: no directory listing, no unhashed name. Mount it
// below /static/ with Cache-Control "public, max-age=31536000, immutable".
func Static() fs.FS { return hashAssets() }

// AssetURL returns the path of an asset ("app.css", "app.js" or "icon.svg"). The path changes with
// the content. An unknown name gives an empty string.
func (r *Renderer) AssetURL(name string) string {
	for served, file := range r.assets {
		if path.Base(file) == name {
			return "/static/" + served
		}
	}
	return ""
}

// Open implements [fs.FS].
func (a assets) Open(name string) (fs.File, error) {
	file, ok := a[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return files.Open(file)
}

func hashAssets() assets {
	a := make(assets)
	for _, file := range []string{"static/app.css", "static/app.js", "static/icon.svg"} {
		content, err := files.ReadFile(file)
		if err != nil {
			continue // Cannot happen: the go:embed line names each of these files.
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(file)
		stem := strings.TrimSuffix(path.Base(file), ext)
		a[stem+"."+hex.EncodeToString(sum[:6])+ext] = file
	}
	return a
}
