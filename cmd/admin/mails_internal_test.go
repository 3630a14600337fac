package main

import (
	"bytes"
	"errors"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usher/app"
	"usher/config"
)

func preview(t *testing.T, environ map[string]string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := mails(t.Context(), app.Process{Args: append([]string{"preview"}, args...), Environ: environ, Stdout: &out})
	return out.String(), err
}

func TestMails_preview_writes_every_mail_without_any_key(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	out, err := preview(t, map[string]string{"USHER_MAIL_FROM": "海马 <a@example.com>"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"activation", "password_changed", "mobile_changed", "email_asked", "email_changed", "change_undone", "number_claimed", "claim_ended"} {
		for _, language := range []string{".zh", ".en"} {
			if !strings.Contains(out, name+language) {
				t.Errorf("%s is not listed:\n%s", name+language, out)
			}
			for _, ext := range []string{".html", ".txt", ".eml"} {
				data, err := os.ReadFile(filepath.Join(dir, name+language+ext))
				if err != nil || len(data) < 100 {
					t.Errorf("%s%s%s: %d bytes, %v", name, language, ext, len(data), err)
				}
			}
		}
	}
	file, err := os.Open(filepath.Join(dir, "activation.zh.eml"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	message, err := mail.ReadMessage(file)
	if err != nil {
		t.Fatal(err)
	}
	from, err := message.Header.AddressList("From")
	if err != nil || len(from) != 1 || from[0].Name != "海马" {
		t.Errorf("from %v, %v", from, err)
	}
}

func TestMails_preview_says_which_template_is_broken(t *testing.T) {
	t.Parallel()
	templates := t.TempDir()
	if err := os.WriteFile(filepath.Join(templates, "activation.en.txt"), []byte("{{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := preview(t, map[string]string{"USHER_MAIL_TEMPLATES": templates}, t.TempDir())
	mistakes, ok := errors.AsType[config.Mistakes](err)
	if !ok || len(mistakes) != 1 || mistakes[0].Variable != "USHER_MAIL_TEMPLATES" ||
		!strings.Contains(mistakes[0].Text, "activation.en.txt") {
		t.Errorf("got %v", err)
	}
}

func TestMails_preview_does_not_overwrite_the_templates(t *testing.T) {
	t.Parallel()
	templates := t.TempDir()
	mine := filepath.Join(templates, "activation.en.txt")
	if err := os.WriteFile(mine, []byte("mine {{.Link}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := preview(t, map[string]string{"USHER_MAIL_TEMPLATES": templates}, templates+"/.")
	if _, ok := errors.AsType[*app.UsageError](err); !ok {
		t.Errorf("got %v, want a usage error", err)
	}
	if data, err := os.ReadFile(mine); err != nil || string(data) != "mine {{.Link}}" {
		t.Errorf("the template is now %q, %v", data, err)
	}
}

func TestMails_preview_wants_a_directory(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {""}, {"a", "b"}} {
		if _, err := preview(t, nil, args...); err == nil {
			t.Errorf("preview %q succeeded", args)
		}
	}
}
