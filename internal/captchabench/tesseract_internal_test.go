package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"usher/captcha"
)

func Test_solves(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, answer string
		want               bool
	}{
		{"read as it is", " 24689\n\n", "24689", true},
		{"read wrongly", "24639\n", "24689", false},
		{"nothing read", "\n", "24689", false},
		{"sum", "97+7=?\n", "104", true},
		{"sum in pieces", "97 + 7 = ?\n", "104", true},
		{"difference", "53-7=?", "46", true},
		{"sign read wrongly", "53+7=?", "46", false},
		{"half a sum", "53-=?", "46", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := solves(tt.text, tt.answer); got != tt.want {
				t.Errorf("solves(%q, %q) = %v, want %v", tt.text, tt.answer, got, tt.want)
			}
		})
	}
}

// The pictures must be hard to read, not the program that reads them broken: one text must come back for each picture.
func Test_measure_runs_tesseract_on_every_picture(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("tesseract"); err != nil {
		t.Skip("tesseract is not installed")
	}
	maker, err := captcha.New(captcha.Config{Kind: captcha.Digits})
	if err != nil {
		t.Fatal(err)
	}
	if broken, err := measure(t.Context(), maker, captcha.Digits, nil, 3); err != nil || broken > 1 {
		t.Errorf("got %d of 3 read, error %v", broken, err)
	}
}

func Test_writeSheet_writes_a_picture(t *testing.T) {
	t.Parallel()
	maker, err := captcha.New(captcha.Config{Fixed: "24689"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sheet.png")
	if err := writeSheet(maker, path, t.Output()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() < 10_000 {
		t.Errorf("got %v, error %v", info, err)
	}
}

func Test_nearest_mends_what_was_read_wrongly(t *testing.T) {
	t.Parallel()
	words := []string{"apple", "banana", "orange"}
	for text, want := range map[string]string{
		" APPLE\n": "apple", "APPIE": "apple", "0RANCE": "orange", "BANNA": "banana", "ANANAS": "banana", "": "", "X": "",
	} {
		if got := nearest(words, text); got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
	if got := nearest(nil, "2468"); got != "2468" {
		t.Errorf("without words got %q", got)
	}
}
