package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"usher/app"
	"usher/config"
	"usher/providers/smtp"
	"usher/tasks"
)

// mailSettings are the settings that change the look of mails: a designer has no other ones.
type mailSettings struct {
	PublicURL string `env:"PUBLIC_URL" envDefault:"http://localhost:8080"`
	Templates string `env:"MAIL_TEMPLATES"`
	Brand     string `env:"BRAND"`
	From      string `env:"MAIL_FROM" envDefault:"Usher <noreply@example.com>"`
}

// mails writes every mail in every language with sample data: its parts, and the message as it is sent.
func mails(_ context.Context, p app.Process) error {
	if len(p.Args) != 2 || p.Args[0] != "preview" || p.Args[1] == "" {
		return &app.UsageError{Text: "want: admin mails preview DIR"}
	}
	dir := p.Args[1]
	var settings mailSettings
	if err := config.Load(p.Environ, &settings); err != nil {
		return err
	}
	face, err := app.LoadBrand(settings.Brand)
	if err != nil {
		return err
	}
	written, err := app.LoadMails(settings.PublicURL, settings.Templates, face)
	if err != nil {
		return err
	}
	samples, err := written.Samples()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // nothing in it is secret
		return fmt.Errorf("make directory: %w", err)
	}
	if settings.Templates != "" && sameDirectory(dir, settings.Templates) {
		return &app.UsageError{Text: "mails preview: this is the directory of the templates, which would be overwritten; name another one"}
	}
	for _, sample := range samples {
		if err := writeSample(dir, settings.From, sample); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(p.Stdout, "%s.{html,txt,eml}\t%s\n", sample.Name, sample.Email.Subject); err != nil {
			return err
		}
	}
	return nil
}

// writeSample writes a mail's parts, and the message as it is sent.
func writeSample(dir, from string, sample tasks.Sample) error {
	message, err := smtp.Render(from, sample.Email, time.Now())
	if err != nil {
		return err
	}
	for ext, data := range map[string][]byte{
		".html": []byte(sample.Email.HTML),
		".txt":  []byte("Subject: " + sample.Email.Subject + "\n\n" + sample.Email.Text),
		".eml":  message,
	} {
		path := filepath.Join(dir, sample.Name+ext)
		if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // nothing in it is secret
			return fmt.Errorf("write preview: %w", err)
		}
	}
	return nil
}

func sameDirectory(a, b string) bool {
	first, errA := os.Stat(a)
	second, errB := os.Stat(b)
	return errors.Join(errA, errB) == nil && os.SameFile(first, second)
}
