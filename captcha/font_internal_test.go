package captcha

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"

	"usher/captcha/challenge"
)

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withoutTable returns a font whose directory names a table by another name.
func withoutTable(font []byte, name string) []byte {
	return bytes.Replace(font, []byte(name), []byte("none"), 1)
}

// withoutCharacters returns a font that has no characters: its map has no segments.
func withoutCharacters(font []byte) []byte {
	out := slices.Clone(font)
	entry := bytes.Index(out, []byte("cmap"))
	table := out[binary.BigEndian.Uint32(out[entry+8:]):]
	for i := range int(binary.BigEndian.Uint16(table[2:])) {
		sub := table[binary.BigEndian.Uint32(table[4+8*i+4:]):]
		if binary.BigEndian.Uint16(sub) == 4 {
			segments := int(binary.BigEndian.Uint16(sub[6:])) / 2
			for s := range segments { // every segment ends before it begins
				binary.BigEndian.PutUint16(sub[14+2*s:], 0xFFFF)
				binary.BigEndian.PutUint16(sub[16+2*segments+2*s:], 0xFFFF)
			}
		}
	}
	return out
}

func TestConfig_Validate_says_what_is_wrong_with_a_font(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	large := write(t, "large.ttf", nil)
	if err := os.Truncate(large, maxFontFile+1); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"no file", filepath.Join(t.TempDir(), "none.ttf"), "cannot be read"},
		{"a folder", t.TempDir(), "is not a regular file"},
		{"a pipe without a writer", pipe, "is not a regular file"},
		{"larger than the bound", large, "is larger than 32 MiB"},
		{"empty", write(t, "empty.ttf", nil), "is not a TrueType or OpenType font"},
		{"a text", write(t, "text.ttf", []byte(strings.Repeat("not a font ", 100))), "is not a TrueType or OpenType font"},
		{"cut off", write(t, "cut.ttf", gomono.TTF[:1000]), "is not a TrueType or OpenType font"},
		{"without a table", write(t, "table.ttf", withoutTable(gomono.TTF, "glyf")), "is not a TrueType or OpenType font"},
		{"without the characters", write(t, "chars.ttf", withoutCharacters(gomono.TTF)), "has no character '2'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mistakes := Config{Font: tt.path}.Validate()
			if len(mistakes) != 1 || mistakes[0].Field != "font" || !strings.Contains(mistakes[0].Problem, tt.want) {
				t.Errorf("got %v, want one mistake of font: %q", mistakes, tt.want)
			}
			if _, err := New(Config{Font: tt.path}); err == nil {
				t.Error("New accepts it")
			}
		})
	}
}

func TestNew_draws_with_the_font_of_a_file(t *testing.T) {
	t.Parallel()
	path := write(t, "mono.ttf", gomonobold.TTF)
	for _, kind := range []Kind{Digits, Letters, Words, Math, Work} {
		m := newInternal(t, Config{Kind: kind, Font: path})
		own := newInternal(t, Config{Kind: kind}).fonts[2] // the third of our own is the same font
		if len(m.fonts) != 1 || m.fonts[0].height != own.height || len(m.fonts[0].glyphs) != len(own.glyphs) {
			t.Errorf("%s: the font of the file differs from the same font of our own", kind)
		}
		if made, err := m.Make(challenge.Image, challenge.High, ""); err != nil || len(made.Media) == 0 {
			t.Errorf("%s: got %d bytes, error %v", kind, len(made.Media), err)
		}
	}
}

// FuzzParseFont writes into a good font, in as many places as there are pieces of four bytes for: an offset and what to
// write there. The font is refused, or its characters are drawn inside the picture.
func FuzzParseFont(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 4, 0xFF, 0, 0, 5, 0xFF})
	f.Add(bytes.Repeat([]byte{0, 0x10, 0x20, 0x7F}, 8))
	for table := range bytes.SplitSeq([]byte("cmap glyf head hhea hmtx loca maxp"), []byte(" ")) {
		entry := bytes.Index(gomonobold.TTF, table)
		offset := binary.BigEndian.Uint32(gomonobold.TTF[entry+8:])
		for at := range uint32(8) {
			f.Add(binary.BigEndian.AppendUint32(nil, (offset+at)<<8|0xFF))
			f.Add(binary.BigEndian.AppendUint32(nil, uint32(entry)<<8+at<<8|0xFF))
		}
	}
	m := newInternal(f, Config{})
	f.Fuzz(func(t *testing.T, patches []byte) {
		font := slices.Clone(gomonobold.TTF)
		for ; len(patches) >= 4; patches = patches[4:] {
			at := int(patches[0])<<16 | int(patches[1])<<8 | int(patches[2])
			font[at%len(font)] = patches[3]
		}
		face, err := parseFont(font, imageDigits)
		if err != nil {
			return
		}
		patched := &Maker{config: m.config, colors: m.colors, fonts: []typeface{face}}
		for i, shape := range patched.place(imageDigits, 160) {
			if b := shape.bounds(); b.left < 0 || b.right > 160 || b.top < 0 || b.bottom > 60 {
				t.Errorf("character %d is at %+v", i, b)
			}
		}
		if _, err := patched.draw(imageDigits, 160); err != nil {
			t.Error(err)
		}
	})
}

// FuzzMaker_draw draws any fixed answer in any configuration that is accepted.
func FuzzMaker_draw(f *testing.F) {
	f.Add("2345", 160, 60, 2, 10, 0)
	f.Add("gjpqyQ%@", 80, 160, 8, 45, 100)
	f.Add("i", 480, 40, 1, 0, 16)
	f.Fuzz(func(t *testing.T, fixed string, width, height, noise, rotation, size int) {
		config := Config{Fixed: fixed, Width: width, Height: height, Noise: noise, Rotation: new(rotation), FontSize: size}
		m, err := New(config)
		if err != nil {
			return
		}
		if fixed == "" {
			fixed = m.question("").text
		}
		b := m.place(fixed, m.config.Width)[0].bounds()
		if b.left < 0 || b.top < 0 || b.right > float64(m.config.Width) || b.bottom > float64(m.config.Height) {
			t.Errorf("%+v: the first character is at %+v", config, b)
		}
		if made, err := m.Make(challenge.Image, challenge.High, ""); err != nil || len(made.Media) == 0 {
			t.Errorf("got %d bytes, error %v", len(made.Media), err)
		}
	})
}
