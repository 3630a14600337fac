package tasks

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"path"
	"strings"
	"text/template"
	"unicode/utf8"

	"usher/accounts"
)

//go:embed templates
var builtIn embed.FS

// The languages of the mails.
const (
	chinese = "zh"
	english = "en"
)

// layoutFile holds what the HTML parts share. It is parsed in front of each of them.
const layoutFile = "layout.html"

// maxTemplate bounds a file in bytes. Mail readers cut what is longer than about 100 kB.
const maxTemplate = 64 << 10

// letter is the templates of one mail in one language.
type letter struct {
	subject, text *template.Template
	html          *htmltemplate.Template
}

// letterNames lists every mail in every language.
func letterNames() []string {
	var names []string
	for _, purpose := range []accounts.MailPurpose{
		accounts.MailActivation, accounts.MailPasswordChanged, accounts.MailMobileChanged, accounts.MailEmailAsked,
		accounts.MailEmailChanged, accounts.MailChangeUndone, accounts.MailNumberClaimed, accounts.MailClaimEnded,
	} {
		for _, language := range []string{chinese, english} {
			names = append(names, string(purpose)+"."+language)
		}
	}
	return names
}

// readTemplates returns every template by its file's name. A file that is called like a template and is
// none is refused: it would be left out in silence. Other files are left alone.
func readTemplates(replaced fs.FS) (map[string]string, error) {
	files := map[string]string{}
	entries, err := builtIn.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("read built-in templates: %w", err)
	}
	for _, entry := range entries {
		text, err := builtIn.ReadFile("templates/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read built-in templates: %w", err)
		}
		files[entry.Name()] = string(text)
	}
	if replaced == nil {
		return files, nil
	}
	entries, err = fs.ReadDir(replaced, ".")
	if err != nil {
		return nil, errors.New("want a directory that can be read")
	}
	var errs []error
	for _, entry := range entries {
		name := entry.Name()
		if ext := path.Ext(name); ext != ".subject" && ext != ".txt" && ext != ".html" {
			continue
		}
		if _, known := files[name]; !known {
			errs = append(errs, fmt.Errorf("%s: no template has this name; docs/mail-templates.md lists them", name))
			continue
		}
		text, err := readTemplate(replaced, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		files[name] = text
	}
	return files, errors.Join(errs...)
}

// readTemplate reads what an editor on any system has written.
func readTemplate(from fs.FS, name string) (string, error) {
	file, err := from.Open(name)
	if err != nil {
		return "", errors.New("cannot be opened")
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxTemplate+1))
	switch {
	case err != nil:
		return "", errors.New("cannot be read")
	case len(text) > maxTemplate:
		return "", fmt.Errorf("is longer than %d bytes", maxTemplate)
	case !utf8.Valid(text):
		return "", errors.New("is not in UTF-8")
	}
	return strings.ReplaceAll(strings.TrimPrefix(string(text), "\uFEFF"), "\r\n", "\n"), nil
}

// parseLetter parses the files of one mail. The library's errors name the file and the line.
func parseLetter(files map[string]string, name string) (letter, error) {
	subject, subjectErr := template.New(name + ".subject").Parse(files[name+".subject"])
	text, textErr := template.New(name + ".txt").Parse(files[name+".txt"])
	html, err := htmltemplate.New(layoutFile).Parse(files[layoutFile])
	if err == nil {
		html, err = html.New(name + ".html").Parse(files[name+".html"])
	}
	return letter{subject, text, html}, errors.Join(subjectErr, textErr, err)
}
