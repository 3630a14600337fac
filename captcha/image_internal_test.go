package captcha

import (
	"image"
	"math"
	"testing"

	"golang.org/x/image/vector"
)

// mostDistorted are the configurations that leave the characters the least room.
func mostDistorted() []Config {
	var configs []Config
	for _, kind := range []Kind{Digits, Letters, Words, Math} {
		for _, height := range []int{40, 60, 160} {
			config := Config{Kind: kind, Height: height, Rotation: new(maxRotation), FontSize: height * 9 / 10}
			config.Width = max(config.withDefaults().characters()*height*2/5, 80)
			configs = append(configs, config)
		}
		configs = append(configs, Config{Kind: kind}, Config{Kind: kind, Width: 480, Height: 40})
	}
	return configs
}

func newInternal(t testing.TB, config Config) *Maker {
	t.Helper()
	m, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A wave moves each character by at most its swing, so that what is so far from all edges stays inside the picture.
func TestMaker_place_leaves_every_character_inside_the_picture(t *testing.T) {
	t.Parallel()
	for _, config := range mostDistorted() {
		m := newInternal(t, config)
		height := float64(m.config.Height)
		for range 50 {
			text := m.question("").text
			for i, shape := range m.place(text, m.config.Width) {
				b := shape.bounds()
				if b.left < maxSwingX*height || b.right > float64(m.config.Width)-maxSwingX*height ||
					b.top < maxSwingY*height || b.bottom > (1-maxSwingY)*height {
					t.Fatalf("%+v: character %d of %q is at %+v", config, i, text, b)
				}
			}
		}
	}
}

// Each character must have as much ink in the picture, and bent, as it has with any room around it.
func TestMaker_place_cuts_no_ink_of_a_character(t *testing.T) {
	t.Parallel()
	for _, config := range mostDistorted() {
		m := newInternal(t, config)
		text := m.question("").text
		for i, shape := range m.place(text, m.config.Width) {
			const room = 200
			inside, whole := paint(shape, m.config.Width, m.config.Height), paint(shape.moved(1, room, room), m.config.Width+2*room, m.config.Height+2*room)
			if ink(whole) < 10*255 {
				t.Errorf("%+v: character %d of %q has next to no ink", config, i, text)
			}
			if got, want := ink(inside), ink(whole); math.Abs(got-want) > want/50 {
				t.Errorf("%+v: character %d of %q has %.0f ink inside the picture, %.0f in all", config, i, text, got, want)
			}
			if got, want := ink(inside.wave()), ink(inside); math.Abs(got-want) > want/4 { // a wave also stretches
				t.Errorf("%+v: character %d of %q has %.0f ink when bent, %.0f before", config, i, text, got, want)
			}
		}
	}
}

func paint(shape outline, width, height int) sheet {
	s := sheet{image.NewAlpha(image.Rect(0, 0, width, height))}
	pen := vector.NewRasterizer(width, height)
	shape.trace(pen)
	pen.Draw(s.Alpha, s.Rect, image.Opaque, image.Point{})
	return s
}

func ink(s sheet) float64 {
	sum := 0.0
	for _, v := range s.Pix {
		sum += float64(v)
	}
	return sum
}

// The angle is measured at the minus, whose shape is a rectangle, and at letters by the random angles that differ.
func TestMaker_place_turns_characters_as_far_as_the_setting_and_signs_less(t *testing.T) {
	t.Parallel()
	upright := newInternal(t, Config{Rotation: new(0)})
	turned := newInternal(t, Config{Rotation: new(maxRotation), FontSize: 30})
	signs := newInternal(t, Config{Kind: Math, Rotation: new(maxRotation), FontSize: 30})
	ratio := func(m *Maker, text string) (low, high float64) {
		low, high = math.Inf(1), 0
		for range 200 {
			b := m.place(text, 400)[0].bounds()
			low, high = min(low, b.height()/b.width()), max(high, b.height()/b.width())
		}
		return low, high
	}
	if low, high := ratio(upright, "7777"); low < 1.2 || high > 1.8 {
		t.Errorf("without rotation a 7 is %.2f to %.2f times as high as wide", low, high)
	}
	if low, _ := ratio(turned, "7777"); low > 1.15 {
		t.Errorf("with rotation a 7 is at least %.2f times as high as wide, so that it does not turn", low)
	}
	if _, high := ratio(signs, "----"); high > 0.6 {
		t.Errorf("a minus is up to %.2f times as high as wide, so that it looks like a slash", high)
	}
}

func TestMaker_size_follows_the_font_size(t *testing.T) {
	t.Parallel()
	small, large := newInternal(t, Config{FontSize: 24}), newInternal(t, Config{FontSize: 48})
	for range 50 {
		a, b := small.place("8", 160)[0].bounds(), large.place("8", 160)[0].bounds()
		if a.height() > 24 || b.height() < 26 || b.height() > 54 {
			t.Fatalf("an 8 is %.1f pixels high at size 24, and %.1f at size 48", a.height(), b.height())
		}
	}
}
