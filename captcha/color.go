package captcha

import (
	"fmt"
	"image/color"
	"math"
	"math/rand/v2"
)

// shades is the number of colours from background to ink: enough for smooth edges, with 4 bits a pixel.
const shades = 16

// minContrast is the minimum of WCAG 2 for text.
const minContrast = 4.5

// palettes makes palettes; a nil colour is random for every picture.
type palettes struct{ background, ink *color.RGBA }

func newPalettes(background, ink string) (palettes, []Mistake) {
	var p palettes
	var mistakes []Mistake
	parse := func(field, s string) *color.RGBA {
		c, ok := parseColor(s)
		if !ok {
			mistakes = append(mistakes, Mistake{field, fmt.Sprintf("must be written #RRGGBB, not %q", s)})
		}
		return c
	}
	p.background, p.ink = parse("background", background), parse("ink", ink)
	if mistakes != nil {
		return p, mistakes
	}
	// A random colour counts with its worst case.
	worstBackground, worstInk := color.RGBA{R: paleFrom, G: paleFrom, B: paleFrom}, color.RGBA{R: darkTo, G: darkTo, B: darkTo}
	if p.background != nil {
		worstBackground = *p.background
	}
	if p.ink != nil {
		worstInk = *p.ink
	}
	if contrast(worstBackground, worstInk) < minContrast {
		field := "ink"
		if ink == "" {
			field = "background"
		}
		mistakes = append(mistakes, Mistake{field, fmt.Sprintf("must give a contrast of at least %v between ink and background", minContrast)})
	}
	return p, mistakes
}

// parseColor returns nil for an empty string: a random colour.
func parseColor(s string) (*color.RGBA, bool) {
	if s == "" {
		return nil, true
	}
	c := color.RGBA{A: 255}
	n, err := fmt.Sscanf(s, "#%02x%02x%02x", &c.R, &c.G, &c.B)
	return &c, err == nil && n == 3 && len(s) == 7
}

const (
	paleFrom = 215
	darkTo   = 90
)

// next returns a palette from background to ink.
func (p palettes) next() color.Palette {
	channel := func(low int) uint8 { return uint8(low + rand.IntN(256-paleFrom)) }
	background := color.RGBA{channel(paleFrom), channel(paleFrom), channel(paleFrom), 255}
	if p.background != nil {
		background = *p.background
	}
	ink := color.RGBA{uint8(rand.IntN(darkTo)), uint8(rand.IntN(darkTo)), uint8(rand.IntN(darkTo)), 255}
	if p.ink != nil {
		ink = *p.ink
	}
	palette := make(color.Palette, shades)
	for i := range palette {
		mix := func(from, to uint8) uint8 { return uint8((int(from)*(shades-1-i) + int(to)*i) / (shades - 1)) }
		palette[i] = color.RGBA{mix(background.R, ink.R), mix(background.G, ink.G), mix(background.B, ink.B), 255}
	}
	return palette
}

// contrast is WCAG 2's ratio, 1 to 21: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
func contrast(a, b color.RGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		f := float64(v) / 255
		if f <= 0.04045 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}
