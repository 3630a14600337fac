package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"usher/brand"
	"usher/config"
	"usher/internal/testkit"
)

func TestExamineFace_tells_what_people_see(t *testing.T) {
	t.Parallel()
	const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><path d="M0 0h9"/></svg>`
	files := fstest.MapFS{}
	for name, content := range map[string]string{
		"brand.json": `{"name": {"zh": "示例商城", "en": "Example Shop"}, "colours": {"light": {"accent": "#7a1fa2"}},
			"links": {"help": "https://www.example.com/help"}, "icp": "京ICP备12345678号-1"}`,
		"logo.svg": logo, "logo-dark.svg": logo, "security.txt": "Contact: mailto:security@example.com\nExpires: 2027-01-31T00:00:00Z\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	face, err := brand.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	var c config.API
	c.Brand, c.TermsURL = "brand", "https://www.example.com/terms"
	end := face.SecurityExpiry()
	for at, want := range map[time.Time]string{
		end.Add(-31 * 24 * time.Hour): "ok is valid until 2027-01-31",
		end.Add(-30 * 24 * time.Hour): "warn expires on 2027-01-31",
		end.Add(-time.Second):         "warn expires on 2027-01-31",
		end:                           "warn has expired on 2027-01-31",
	} {
		findings := examineFace(face, c, at)
		if len(findings) != 2 || findings[1].Status+" "+findings[1].Detail != want {
			t.Errorf("at %s: got %+v, want %q", at, findings, want)
		}
	}
	got := examineFace(face, c, end)[0]
	for _, want := range []string{
		"name: 示例商城, in English Example Shop\n", "logo: logo.svg, on dark pages logo-dark.svg\n", "6.70:1 on light pages", ":1 on dark ones",
		"help: https://www.example.com/help\n", "terms: https://www.example.com/terms, privacy policy: none\n", "ICP number: 京ICP备12345678号-1, of the police: none",
	} {
		if got.Status != isOK || !strings.Contains(got.Detail, want) {
			t.Errorf("got %s:\n%s\nwant %q", got.Status, got.Detail, want)
		}
	}
}

func TestDoctor_checks_the_face(t *testing.T) {
	t.Parallel()
	environ, _ := healthy(t, testkit.Redis(t), testkit.SQLite(t))
	text, _ := command(t, environ, "doctor", "-offline")
	if !strings.Contains(text, "ok    face\n      Usher's own: USHER_BRAND is not set\n") {
		t.Errorf("without a folder:\n%s", text)
	}
	environ["USHER_BRAND"] = t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(environ["USHER_BRAND"], name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("brand.json", `{"name": "示例商城"}`)
	write("security.txt", "Contact: mailto:security@example.com\nExpires: 2026-01-02T03:04:05Z\n")
	text, err := command(t, environ, "doctor", "-offline")
	if err != nil || !strings.Contains(text, "ok    face\n      name: 示例商城\n      logo: none: pages show the name\n") ||
		!strings.Contains(text, "warn  security.txt\n      has expired on 2026-01-02\n") {
		t.Errorf("with a folder: %v\n%s", err, text)
	}
	write("brand.json", `{"nme": "示例商城"}`)
	text, err = command(t, environ, "doctor", "-offline")
	if err == nil || strings.Contains(text, "  face\n") || !strings.Contains(text, `USHER_BRAND: brand.json: unknown key "nme"`) {
		t.Errorf("with a mistake: %v\n%s", err, text)
	}
}
