package tasks_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"usher/brand"
	"usher/tasks"
)

// mailsWith takes the given files, by name, in the place of the built-in ones.
func mailsWith(t testing.TB, files map[string]string) (*tasks.Mails, error) {
	t.Helper()
	replaced := fstest.MapFS{}
	for name, text := range files {
		replaced[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tasks.NewMails(&url.URL{Scheme: "https", Host: "usher.example"}, replaced, nil)
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
	_, err := tasks.NewMails(&url.URL{Scheme: "https", Host: "usher.example"}, os.DirFS(filepath.Join(t.TempDir(), "none")), nil)
	if err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("got %v", err)
	}
}

func TestNewMails_have_the_face_of_the_team(t *testing.T) {
	t.Parallel()
	face, err := brand.Load(fstest.MapFS{"brand.json": &fstest.MapFile{Data: []byte(
		`{"name": {"zh": "示例商城", "en": "Example & Sons"}, "mail_name": {"zh": "示例", "en": "Example"}, "colours": {"light": {"accent": "#7a1fa2"}}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	mails, err := tasks.NewMails(&url.URL{Scheme: "https", Host: "id.example.com"}, nil, face)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := mails.Samples()
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range samples {
		name, escaped, sender := "示例商城", "示例商城", "示例"
		if strings.HasSuffix(sample.Name, ".en") {
			name, escaped, sender = "Example & Sons", "Example &amp; Sons", "Example"
		}
		email := sample.Email
		if email.FromName != sender || !strings.Contains(email.Text, name) || !strings.Contains(email.HTML, escaped+" · id.example.com</p>") {
			t.Errorf("%s from %q lacks the name:\n%s\n%s", sample.Name, email.FromName, email.Text, email.HTML)
		}
		if strings.Contains(email.HTML, `class="button"`) && !strings.Contains(email.HTML, "background:#7a1fa2") || strings.Contains(email.HTML, "ZgotmplZ") {
			t.Errorf("%s has not the colours:\n%s", sample.Name, email.HTML)
		}
		if strings.Contains(email.Text+email.Subject, " 示例商城") || strings.Contains(email.Text+email.Subject, "示例商城 ") {
			t.Errorf("%s has spaces around a Chinese name: %s\n%s", sample.Name, email.Subject, email.Text)
		}
	}
}
