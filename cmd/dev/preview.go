package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"usher/app"
	"usher/providers"
	"usher/web"
)

// preview shows all pages and mails with the face that is in a folder now. Its pages do nothing: they are for looking at.
type preview struct {
	dir, publicURL, templates string // templates is USHER_MAIL_TEMPLATES

	mu    sync.Mutex
	stamp string // of the files that were read
	pages *web.Renderer
	mails map[string]providers.Email // by name and language, such as code_login.zh
	names []string                   // of the mails in Chinese
	err   error                      // of the folder, as it is now
}

// stampOf changes with the files of a folder.
func stampOf(dir string) string {
	var out strings.Builder
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && !entry.IsDir() {
			_, _ = fmt.Fprint(&out, path, info.Size(), info.ModTime().UnixNano(), "\n")
		}
		return nil
	})
	return out.String()
}

// read reads the folder again when its files have changed. The last face that was right stays for looking at.
func (p *preview) read() {
	stamp := stampOf(p.dir)
	if stamp == p.stamp && p.pages != nil {
		return
	}
	p.stamp = stamp
	face, err := app.LoadBrand(p.dir)
	if err != nil {
		p.err = err
		return
	}
	pages, err := web.New(face)
	mails, mailErr := app.LoadMails(p.publicURL, p.templates, face)
	if p.err = errors.Join(err, mailErr); p.err != nil {
		return
	}
	samples, err := mails.Samples()
	if p.err = err; err != nil {
		return
	}
	p.pages, p.mails, p.names = pages, map[string]providers.Email{}, nil
	for _, sample := range samples {
		p.mails[sample.Name] = sample.Email
		if name, isChinese := strings.CutSuffix(sample.Name, ".zh"); isChinese {
			p.names = append(p.names, name)
		}
	}
}

// state is a page as the preview shows it.
type state struct {
	Name, Title string
	page        web.Page
}

// states are the pages with made-up data. A test asks for each page.
var states = []state{
	{"register", "", web.Page{}},
	{"register", "refused", web.Page{
		Fields: map[string]string{"username": "…", "mobile": "…", "captcha": "…", "sms_code": "…", "password": "…", "agree": "…"}, CodeSent: true, ResendAfter: 60,
	}},
	{"register", "email", web.Page{Mode: "email"}},
	{"check-mail", "", web.Page{Address: "lilei@example.com", Said: "resent_own"}},
	{"login", "", web.Page{RememberedName: "lilei", Form: map[string]string{"login": "lilei", "remember": "true"}}},
	{"login", "refused", web.Page{Mode: "password", Error: "…", PasswordCaptcha: true}},
	{"login", "code", web.Page{Mode: "code"}},
	{"forgot", "", web.Page{}},
	{"forgot", "done", web.Page{Done: true}},
	{"activate", "", web.Page{Token: "t"}},
	{"activate", "done", web.Page{Done: true}},
	{"code", "", web.Page{Token: "t", Mode: "login", Address: "l***@example.com"}},
	{"decline", "", web.Page{Token: "t"}},
	{"undo", "", web.Page{}},
	{"account", "", web.Page{Account: &lilei, Sessions: devices, Said: "said_created"}},
	{"account", "password", web.Page{Account: &lilei, Sessions: devices[:1], Mode: "password"}},
	{"account", "signed out", web.Page{}},
	{"admin", "", web.Page{Account: &lilei, Admin: &web.Admin{}}},
	{"admin-account", "", web.Page{Account: &lilei, Admin: &web.Admin{Account: &web.AdminAccount{Username: "lilei", Mobile: "138****8000", CreatedAt: monday}}}},
	{"error", "", web.Page{Status: http.StatusNotFound}},
}

var (
	lilei   = web.Account{Username: "lilei", Mobile: "138****8000", Email: "l***@example.com", Active: true, HasPassword: true}
	devices = []web.Session{
		{ID: "1", Client: "Chrome, Windows", Network: "203.0.113.0/24", Current: true, CreatedAt: monday, SeenAt: monday},
		{ID: "2", Client: "Safari, iPhone", Network: "198.51.100.0/24", Remembered: true, CreatedAt: monday, SeenAt: monday},
	}
	monday = time.Date(2026, 1, 5, 7, 4, 5, 0, time.UTC)
)

// handler serves the preview.
func (p *preview) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.index)
	mux.HandleFunc("GET /stamp", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, p.stampNow()) })
	mux.HandleFunc("GET /{theme}/{lang}/page/{state}", p.showPage)
	mux.HandleFunc("GET /{theme}/{lang}/mail/{name}", p.showMail)
	mux.HandleFunc("GET /{theme}/static/{file}", p.file)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A page of another origin must not read the preview by a name that leads here (DNS rebinding); only the index runs a script.
		host, _, err := net.SplitHostPort(r.Host)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && ip == nil {
			http.Error(w, "open this page by an address or as localhost", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-src 'self'")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

func (p *preview) stampNow() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read()
	return p.stamp
}

// themed makes what depends on the theme of the system depend on the chosen one.
func themed(theme, text string) string {
	dark, light := "all", "not all"
	if theme != "dark" { // it came with the address, and goes into the page
		theme, dark, light = "light", light, dark
	}
	text = strings.NewReplacer("(prefers-color-scheme: dark)", dark, "(prefers-color-scheme: light)", light, `"/static/`, `"/`+theme+`/static/`).Replace(text)
	return strings.Replace(text, "color-scheme: light dark;", "color-scheme: "+theme+";", 1)
}

func (p *preview) showPage(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read()
	for i, s := range states {
		if p.pages == nil || strconv.Itoa(i) != r.PathValue("state") {
			continue
		}
		s.page.Lang = r.PathValue("lang")
		s.page.TermsURL, s.page.PrivacyURL = p.publicURL+"/terms", p.publicURL+"/privacy"
		var out strings.Builder
		if err := p.pages.Render(&out, s.Name, s.page); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, themed(r.PathValue("theme"), out.String())) //nolint:gosec // a page of ours, which templates have escaped
		return
	}
	http.NotFound(w, r)
}

func (p *preview) showMail(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read()
	mail, found := p.mails[r.PathValue("name")+"."+r.PathValue("lang")]
	if !found {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, "<p style=\"margin:8px;font:14px sans-serif\">%s: <b>%s</b></p>%s", //nolint:gosec // a mail of ours, which templates have escaped
		template.HTMLEscapeString(cmp.Or(mail.FromName, "USHER_MAIL_FROM")), template.HTMLEscapeString(mail.Subject), themed(r.PathValue("theme"), mail.HTML))
}

func (p *preview) file(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read()
	name := r.PathValue("file")
	if p.pages == nil || p.pages.Files()[name] == nil {
		http.NotFound(w, r)
		return
	}
	content := p.pages.Files()[name]
	if filepath.Ext(name) == ".css" {
		content = []byte(themed(r.PathValue("theme"), string(content)))
	}
	http.ServeContent(w, r, name, time.Time{}, strings.NewReader(string(content)))
}

// previewScript loads the index again when the files have changed.
const previewScript = `let before;
setInterval(async () => {
  const now = await (await fetch('/stamp')).text();
  if (before !== undefined && now !== before) location.reload();
  before = now;
}, 700);`

var previewPage = template.Must(template.New("preview").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Preview</title>
<style>body { font: 14px sans-serif; margin: 1rem; background: #ddd; color: #111; } h2 { margin: 1.5rem 0 .25rem; }
pre { padding: 1rem; color: #fff; background: #8a1008; white-space: pre-wrap; } .row { display: flex; gap: .5rem; overflow-x: auto; }
iframe { flex: none; width: 380px; height: 640px; border: 1px solid #888; background: #fff; }</style></head><body>
<h1>Pages and mails</h1>
{{with .Err}}<pre>{{.}}</pre>{{end}}
{{$all := .}}{{range $i, $s := .States}}<h2>/{{.Name}} {{.Title}}</h2><div class="row">
{{range $all.Looks}}<iframe title="{{$s.Name}} {{$s.Title}} {{.}}" src="/{{.}}/page/{{$i}}" loading="lazy" sandbox></iframe>{{end}}</div>
{{end}}
{{range $name := .Mails}}<h2>mail {{.}}</h2><div class="row">
{{range $all.Looks}}<iframe title="{{$name}} {{.}}" src="/{{.}}/mail/{{$name}}" loading="lazy" sandbox></iframe>{{end}}</div>
{{end}}<script nonce="{{.Nonce}}">{{.Script}}</script></body></html>`))

func (p *preview) index(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read()
	const nonce = "preview" // there is one page, and no text of a stranger in it
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; connect-src 'self'; style-src 'unsafe-inline'; frame-src 'self'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = previewPage.Execute(w, struct {
		Err          error
		States       []state
		Looks, Mails []string
		Nonce        string
		Script       template.JS
	}{p.err, states, []string{"light/zh", "dark/zh", "light/en", "dark/en"}, p.names, nonce, previewScript})
}

// serve serves the preview until ctx ends.
func (p *preview) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("preview: %w", err)
	}
	return nil
}
