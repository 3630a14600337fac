package board

import (
	"bytes"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"usher/docs"
)

// docsPath is where the runbooks are served, with the pages that they link to. At night the repository may be out of reach.
const docsPath = Path + "/docs/"

const runbooks = "runbooks/"

func runbookPath(name string) string { return docsPath + runbooks + name }

// article is a page of the documentation as HTML. Its source is part of the program, so that its markup is trusted.
type article struct {
	view
	Title string
	HTML  template.HTML
	Index []entry // of all runbooks; empty on the page of one
}

// entry is a runbook on the index.
type entry struct{ Name, URL, Text string }

// serveRunbooks lists all runbooks, each with the sentence of its alert.
func (b *Board) serveRunbooks(w http.ResponseWriter, r *http.Request) {
	v := b.view(readRequest(r), b.empty())
	page := article{view: v, Title: v.Texts["runbooks"]}
	names, err := fs.Glob(docs.Files, runbooks+"*.md")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, name := range names {
		name = strings.TrimSuffix(path.Base(name), ".md")
		page.Index = append(page.Index, entry{name, runbookPath(name), v.Texts["alert."+name]})
	}
	b.write(w, "article.html", page)
}

// serveDoc shows one page of the documentation.
func (b *Board) serveDoc(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("page")
	source, err := fs.ReadFile(docs.Files, name+".md")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	html, title, err := render(name, source)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	b.write(w, "article.html", article{view: b.view(readRequest(r), b.empty()), Title: title, HTML: html})
}

// render converts a page to HTML. Links to pages that are served lead there; others, such as those to images, become text.
func render(name string, source []byte) (html template.HTML, title string, err error) {
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	root := markdown.Parser().Parse(text.NewReader(source))
	var foreign []*ast.Link
	err = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Heading:
			if entering && n.Level == 1 {
				title = string(n.Lines().Value(source))
			}
		case *ast.Link:
			if target, ok := served(name, string(n.Destination)); ok {
				n.Destination = []byte(target)
			} else if entering {
				foreign = append(foreign, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, link := range foreign {
		parent := link.Parent()
		for child := link.FirstChild(); child != nil; child = link.FirstChild() {
			parent.InsertBefore(parent, link, child)
		}
		parent.RemoveChild(parent, link)
	}
	var out bytes.Buffer
	if err == nil {
		err = markdown.Renderer().Render(&out, source, root)
	}
	return template.HTML(out.String()), title, err //nolint:gosec // the source is part of the program
}

// served returns where the target of a link on a page is served; false for a page that is not.
func served(from, link string) (string, bool) {
	switch {
	case strings.HasPrefix(link, "https://"), strings.HasPrefix(link, "#"), strings.HasPrefix(link, docsPath):
		return link, true
	}
	page, part, hasPart := strings.Cut(link, "#")
	name, isPage := strings.CutSuffix(path.Join(path.Dir(from), page), ".md")
	if _, err := fs.Stat(docs.Files, name+".md"); err != nil || !isPage {
		return "", false
	}
	if hasPart {
		name += "#" + part
	}
	return docsPath + name, true
}

// With changes the language by way of the index, since the pages themselves are in English only.
func (a article) With(name, value string) string {
	if name != "lang" {
		return a.view.With(name, value)
	}
	return Path + "/runbooks?lang=" + value
}
