package captcha_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"strconv"
	"strings"
	"sync"
	"testing"

	"usher/captcha"
	"usher/captcha/challenge"
)

var everyKind = []captcha.Kind{captcha.Digits, captcha.Letters, captcha.Words, captcha.Math}

func newMaker(t testing.TB, config captcha.Config) *captcha.Maker {
	t.Helper()
	maker, err := captcha.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return maker
}

func makeOne(t testing.TB, maker *captcha.Maker, medium challenge.Medium) captcha.Challenge {
	t.Helper()
	return makeIn(t, maker, medium, "")
}

func makeIn(t testing.TB, maker *captcha.Maker, medium challenge.Medium, language string) captcha.Challenge {
	t.Helper()
	made, err := maker.Make(medium, challenge.Normal, language)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestMaker_Make_answers_have_the_length_and_alphabet_of_their_kind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		config   captcha.Config
		medium   challenge.Medium
		length   int
		alphabet string
	}{
		{"digits by default", captcha.Config{}, challenge.Image, 5, "23456789"},
		{"longer digits", captcha.Config{Length: 6}, challenge.Image, 6, "23456789"},
		{"letters", captcha.Config{Kind: captcha.Letters}, challenge.Image, 4, "ACEFHKMPRTWXY"},
		{"spoken for words", captcha.Config{Kind: captcha.Words}, challenge.Audio, 6, "02345678"},
		{"spoken digits", captcha.Config{}, challenge.Audio, 6, "02345678"},
		{"spoken for letters", captcha.Config{Kind: captcha.Letters}, challenge.Audio, 6, "02345678"},
		{"spoken for arithmetic", captcha.Config{Kind: captcha.Math}, challenge.Audio, 6, "02345678"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			maker := newMaker(t, tt.config)
			for range 5 {
				answer := makeOne(t, maker, tt.medium).Answer
				if len(answer) != tt.length || strings.Trim(answer, tt.alphabet) != "" {
					t.Fatalf("got answer %q, want %d of %q", answer, tt.length, tt.alphabet)
				}
			}
		})
	}
}

func TestMaker_Make_asks_for_one_word_and_at_the_high_price_for_two(t *testing.T) {
	t.Parallel()
	maker := newMaker(t, captcha.Config{Kind: captcha.Words})
	for range 20 {
		one, two := makeOne(t, maker, challenge.Image).Answer, strings.Fields(priced(t, maker, challenge.Image).Answer)
		for _, word := range append(two, one) {
			if len(word) < 4 || len(word) > 7 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				t.Errorf("%q is not a word of 4 to 7 letters", word)
			}
		}
		if len(two) != 2 || !captcha.Match(strings.Join(two, " "), strings.ToLower(strings.Join(two, ""))) {
			t.Errorf("got %q, want two words that may be typed without the blank and the capitals", two)
		}
	}
}

func TestMaker_Make_answers_of_arithmetic_are_positive_numbers_and_spread(t *testing.T) {
	t.Parallel()
	maker := newMaker(t, captcha.Config{Kind: captcha.Math})
	seen := make(map[string]int)
	const n = 150
	for range n {
		answer := makeOne(t, maker, challenge.Image).Answer
		number, err := strconv.Atoi(answer)
		if err != nil || number < 13 || number > 108 {
			t.Fatalf("got answer %q, want 13 to 108", answer)
		}
		seen[answer]++
	}
	for answer, count := range seen {
		if count > n/10 {
			t.Errorf("answer %s came %d times in %d", answer, count, n)
		}
	}
}

func TestMaker_Make_uses_every_character_about_equally_often(t *testing.T) {
	t.Parallel()
	maker := newMaker(t, captcha.Config{Width: 200, Length: 8})
	counts := make(map[rune]int)
	const n = 200
	for range n {
		for _, char := range makeOne(t, maker, challenge.Image).Answer {
			counts[char]++
		}
	}
	// A share of 200 each is expected; 95 is seven standard deviations.
	for _, char := range "23456789" {
		if got := counts[char]; got < n-95 || got > n+95 {
			t.Errorf("%c came %d times, want about %d", char, got, n)
		}
	}
}

func TestMaker_Make_pictures_are_PNGs_of_the_size_asked(t *testing.T) {
	t.Parallel()
	for _, kind := range everyKind {
		for _, size := range []image.Point{{X: 168, Y: 60}, {X: 120, Y: 40}, {X: 480, Y: 160}} {
			t.Run(fmt.Sprint(kind, size), func(t *testing.T) {
				t.Parallel()
				maker := newMaker(t, captcha.Config{Kind: kind, Width: size.X, Height: size.Y})
				made := makeOne(t, maker, challenge.Image)
				if made.MIME != "image/png" {
					t.Errorf("got MIME %q", made.MIME)
				}
				picture, err := png.Decode(bytes.NewReader(made.Media))
				if err != nil {
					t.Fatal(err)
				}
				if got := picture.Bounds().Size(); got != size {
					t.Errorf("got size %v, want %v", got, size)
				}
			})
		}
	}
}

func TestMaker_Make_pictures_of_one_answer_differ(t *testing.T) {
	t.Parallel()
	maker := newMaker(t, captcha.Config{Fixed: "2345", Background: "#ffffff", Ink: "#000000"})
	if bytes.Equal(makeOne(t, maker, challenge.Image).Media, makeOne(t, maker, challenge.Image).Media) {
		t.Error("two pictures are the same; one solved by a person would solve them all")
	}
}

func TestMaker_Make_pictures_have_the_colours_asked(t *testing.T) {
	t.Parallel()
	maker := newMaker(t, captcha.Config{Background: "#FFEEDD", Ink: "#102030"})
	picture, err := png.Decode(bytes.NewReader(makeOne(t, maker, challenge.Image).Media))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			r, g, b, _ := picture.At(x, y).RGBA()
			seen[fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8)] = true
		}
	}
	if !seen["#FFEEDD"] || !seen["#102030"] {
		t.Errorf("background or ink is missing in %v", seen)
	}
}

func TestMaker_Make_gives_the_fixed_answer_in_every_kind_and_medium(t *testing.T) {
	t.Parallel()
	for _, kind := range everyKind {
		for _, fixed := range []string{"1", "1234", "Test", "ab12CD34"} {
			maker := newMaker(t, captcha.Config{Kind: kind, Fixed: fixed})
			for _, medium := range []challenge.Medium{challenge.Image, challenge.Audio} {
				if made := makeOne(t, maker, medium); made.Answer != fixed || len(made.Media) == 0 {
					t.Errorf("%s %s: got answer %q with %d bytes, want %q", kind, medium, made.Answer, len(made.Media), fixed)
				}
			}
		}
	}
}

// A dear challenge is longer, and its characters have the room that those of a normal one have.
func TestMaker_Make_asks_more_for_a_high_price(t *testing.T) {
	t.Parallel()
	for _, kind := range everyKind {
		maker := newMaker(t, captcha.Config{Kind: kind})
		normal, high := makeOne(t, maker, challenge.Image), priced(t, maker, challenge.Image)
		if normal.Price != challenge.Normal || high.Price != challenge.High || high.Medium != challenge.Image {
			t.Errorf("%s: got prices %q and %q of a %q", kind, normal.Price, high.Price, high.Medium)
		}
		if kind != captcha.Math && kind != captcha.Words && len(high.Answer) != len(normal.Answer)+3 {
			t.Errorf("%s: got answers %q and %q, want the second one longer by three", kind, normal.Answer, high.Answer)
		}
		if wide, usual := widthOf(t, high.Media), widthOf(t, normal.Media); wide < usual*3/2 {
			t.Errorf("%s: got %d pixels against %d, want at least half as many again", kind, wide, usual)
		}
	}
	if spoken := priced(t, newMaker(t, captcha.Config{}), challenge.Audio); len(spoken.Answer) != 9 {
		t.Errorf("got the spoken answer %q, want nine digits", spoken.Answer)
	}
}

func priced(t *testing.T, maker *captcha.Maker, medium challenge.Medium) captcha.Challenge {
	t.Helper()
	made, err := maker.Make(medium, challenge.High, "")
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func widthOf(t *testing.T, media []byte) int {
	t.Helper()
	picture, err := png.DecodeConfig(bytes.NewReader(media))
	if err != nil {
		t.Fatal(err)
	}
	return picture.Width
}

func TestMaker_Make_refuses_when_off_and_media_that_do_not_exist(t *testing.T) {
	t.Parallel()
	off := newMaker(t, captcha.Config{Kind: captcha.Off})
	if _, err := off.Make(challenge.Image, challenge.Normal, ""); !errors.Is(err, captcha.ErrOff) || off.Enabled() {
		t.Errorf("got %v, enabled %v; want ErrOff, false", err, off.Enabled())
	}
	on := newMaker(t, captcha.Config{})
	if _, err := on.Make("video", challenge.Normal, ""); err == nil || !on.Enabled() {
		t.Errorf("got %v, enabled %v; want an error, true", err, on.Enabled())
	}
}

func TestNew_names_every_mistake(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config captcha.Config
		want   []string
	}{
		{"several at once", captcha.Config{Kind: "faces", Length: 99, Noise: -1}, []string{"kind", "length", "noise"}},
		{"language", captcha.Config{Language: "la"}, []string{"language"}},
		{"no room for the characters", captcha.Config{Length: 8}, []string{"width"}},
		{"no room for the sum", captcha.Config{Kind: captcha.Math, Width: 100}, []string{"width"}},
		{"no room for words", captcha.Config{Kind: captcha.Words, Width: 160}, []string{"width must be at least 168 for 7"}},
		{"font sizes", captcha.Config{FontSize: 60}, []string{"font_size must be 24 to 54"}},
		{"tiny font", captcha.Config{FontSize: 20}, []string{"font_size must be 24 to 54"}},
		{"a negative rotation", captcha.Config{Rotation: new(-1)}, []string{"rotation must be 0 to 45"}},
		{"upside down", captcha.Config{Rotation: new(46)}, []string{"rotation must be 0 to 45"}},
		{"bad colour", captcha.Config{Background: "red", Ink: "#12345"}, []string{"background", "ink"}},
		{"colour with a tail", captcha.Config{Ink: "#1234567"}, []string{"ink"}},
		{"signed colour", captcha.Config{Ink: "#+1+2+3"}, []string{"ink"}},
		{"too little contrast", captcha.Config{Background: "#777777", Ink: "#888888"}, []string{"contrast"}},
		{"too little contrast with what is random", captcha.Config{Ink: "#cccccc"}, []string{"contrast"}},
		{"fixed answer that cannot be typed", captcha.Config{Fixed: "答"}, []string{"fixed"}},
		{"fixed answer too long", captcha.Config{Fixed: "123456789"}, []string{"fixed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := captcha.New(tt.config)
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to name %q", err, want)
				}
			}
		})
	}
}

func TestMaker_Make_serves_many_goroutines(t *testing.T) {
	t.Parallel()
	maker := newMaker(t, captcha.Config{Kind: captcha.Math})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, medium := range []challenge.Medium{challenge.Image, challenge.Audio, challenge.Image} {
				if _, err := maker.Make(medium, challenge.High, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkMaker_Make(b *testing.B) {
	for _, kind := range everyKind {
		for _, medium := range []challenge.Medium{challenge.Image, challenge.Audio} {
			b.Run(fmt.Sprintf("%s/%s", kind, medium), func(b *testing.B) {
				maker := newMaker(b, captcha.Config{Kind: kind})
				size := 0
				for b.Loop() {
					size = len(makeOne(b, maker, medium).Media)
				}
				b.ReportMetric(float64(size), "file-bytes")
			})
		}
	}
}
