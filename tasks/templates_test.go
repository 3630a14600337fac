package tasks_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"usher/tasks"
)

// mailsWith takes the given files, by name, in the place of the built-in ones.
func mailsWith(t testing.TB, files map[string]string) (*tasks.Mails, error) {
	t.Helper()
	replaced := fstest.MapFS{}
	for name, text := range files {
		replaced[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tasks.NewMails(&url.URL{Scheme: "https", Host: "usher.example"}, replaced)
}

func TestNewMails_replaces_the_files_it_is_given_and_no_others(t *testing.T) {
	t.Parallel()
	mails, err := mailsWith(t, map[string]string{
		"activation.en.subject": "\uFEFF{{.Username}}: one click\r\n",
		"activation.en.txt":     "a\r\nb {{.Link}}\r\n",
		"activation.en.html":    `<p>mine {{.Subject}} <a href="{{.Link}}">go</a>`,
		"README.md":             "how we made these {{",
		"logo.png":              "\x89PNG",
	})
	if err != nil {
		t.Fatal(err)
	}
	claimed := activation(t)
	claimed.Mail.Language = "en"
	got, err := mails.Write(claimed, tasks.Tokens{Link: "t0ken"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "小明_2025: one click"; got.Subject != want {
		t.Errorf("subject %q, want %q", got.Subject, want)
	}
	if want := "a\nb https://usher.example/activate?token=t0ken\n"; got.Text != want {
		t.Errorf("text %q, want %q", got.Text, want)
	}
	want := `<p>mine 小明_2025: one click <a href="https://usher.example/activate?token=t0ken">go</a>`
	if got.HTML != want {
		t.Errorf("html %q, want %q", got.HTML, want)
	}
	claimed.Mail.Language = "zh"
	chinese, err := mails.Write(claimed, tasks.Tokens{Link: token})
	if built := mustWrite(t, claimed, token); err != nil || chinese.Subject != built.Subject {
		t.Errorf("the other language changed as well: %q, %v", chinese.Subject, err)
	}
}

func TestNewMails_replaces_the_layout_of_all(t *testing.T) {
	t.Parallel()
	mails, err := mailsWith(t, map[string]string{"layout.html": `{{define "layout"}}OURS{{template "content" .}}{{end}}`})
	if err != nil {
		t.Fatal(err)
	}
	samples, err := mails.Samples()
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range samples {
		if !strings.HasPrefix(sample.Email.HTML, "OURS") {
			t.Errorf("%s has another layout:\n%s", sample.Name, sample.Email.HTML)
		}
	}
}

func TestNewMails_refuses_templates_that_are_of_no_use(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct{ name, text, want string }{
		"does not parse":        {"activation.zh.txt", "{{.Link", "activation.zh.txt:1: unclosed action"},
		"no such field":         {"password_changed.en.html", "<p>\n{{.Password}}", "password_changed.en.html:2:2: "},
		"does not escape":       {"email_changed.zh.html", `<a href="{{.Host}}`, "email_changed.zh.html"},
		"no such template":      {"email_changed.zh.html", `{{template "lay-out" .}}`, `"lay-out"`},
		"text without link":     {"activation.en.txt", "activate!", "activation.en.txt: lacks {{.Link}}"},
		"html without link":     {"activation.en.html", "activate!", "activation.en.html: lacks {{.Link}}"},
		"text without code":     {"code.en.txt", "{{.Link}}", "code.en.txt: lacks {{.Code}}"},
		"html without button":   {"code.zh.html", "{{.Code}}", "code.zh.html: lacks {{.Link}}"},
		"empty text":            {"password_changed.zh.txt", " \n\t", "password_changed.zh.txt: writes nothing"},
		"empty html":            {"password_changed.zh.html", "", "password_changed.zh.html: writes nothing"},
		"empty subject":         {"password_changed.zh.subject", "\n", "password_changed.zh.subject: a subject is one line"},
		"header in the subject": {"activation.zh.subject", "a\r\nBcc: b@example.com", "activation.zh.subject: a subject is one line"},
		"endless subject":       {"activation.zh.subject", strings.Repeat("激", 101), "activation.zh.subject: a subject is one line"},
		"unknown language":      {"activation.cn.html", "{{.Link}}", "activation.cn.html: no template has this name"},
		"unknown mail":          {"welcome.en.txt", "hi", "welcome.en.txt: no template has this name"},
		"another charset":       {"activation.zh.txt", "\xc7\xeb\xbc\xa4\xbb\xee {{.Link}}", "activation.zh.txt: is not in UTF-8"},
		"too long":              {"activation.zh.txt", "{{.Link}}" + strings.Repeat("x", 64<<10), "activation.zh.txt: is longer than"},
	} {
		mails, err := mailsWith(t, map[string]string{c.name: c.text})
		if err == nil || mails != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", title, err, c.want)
		}
	}
}

func TestNewMails_reports_every_mistake_at_once(t *testing.T) {
	t.Parallel()
	_, err := mailsWith(t, map[string]string{
		"activation.zh.txt": "{{", "activation.en.subject": "", "email_changed.en.html": "{{.Nothing}}",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"activation.zh.txt", "activation.en.subject", "email_changed.en.html"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named:\n%v", name, err)
		}
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != 3 {
		t.Errorf("%d lines, want one for each mistake:\n%v", lines, err)
	}
}

func TestNewMails_needs_the_directory(t *testing.T) {
	t.Parallel()
	_, err := tasks.NewMails(&url.URL{Scheme: "https", Host: "usher.example"}, os.DirFS(filepath.Join(t.TempDir(), "none")))
	if err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("got %v", err)
	}
}
