package captcha

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/golang/freetype/truetype"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/math/fixed"
)

// sheet is a picture before it is coloured: the amount of ink on each pixel.
type sheet struct{ *image.Alpha }

// draw returns text as a PNG of a width. All ink has one colour, so that colours do not separate characters from lines.
func (m *Maker) draw(text string, width int) ([]byte, error) {
	s := sheet{image.NewAlpha(image.Rect(0, 0, width, m.config.Height))}
	m.write(s, text)
	s.cross(m.config.Noise)
	s.invert()
	s = s.wave()
	s.speckle(m.config.Noise)

	picture := image.NewPaletted(s.Rect, m.colors.next())
	for i, ink := range s.Pix {
		picture.Pix[i] = ink / (256 / shades)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("captcha: encode picture: %w", err)
	}
	return out.Bytes(), nil
}

// write draws the characters side by side, each with a random font, height, position and slant.
func (m *Maker) write(s sheet, text string) {
	width, height := float64(s.Rect.Max.X), float64(s.Rect.Max.Y)
	margin := height / 7
	cell := (width - 2*margin) / float64(len(text))
	for i, char := range text {
		face := m.fonts[rand.IntN(len(m.fonts))]
		if strings.ContainsRune("+-=?", char) {
			face = m.fonts[0] // a minus must not look like a speck, nor a plus like a letter
		}
		x := margin + cell*(float64(i)+0.5) + between(-0.06, 0.06)*cell
		y := height * between(0.44, 0.56)
		s.glyph(face, char, x, y, height*between(0.54, 0.64), cell*0.95)
	}
}

// glyph draws char of the given height around the point (x, y), turned a little, and no wider than width.
func (s sheet) glyph(face typeface, char rune, x, y, height, width float64) {
	size := height / face.height
	f := newFace(face.font, size)
	bounds, _, _ := f.GlyphBounds(char)
	if wide := pixels(bounds.Max.X - bounds.Min.X); wide > width {
		size *= width / wide
		f = newFace(face.font, size)
		bounds, _, _ = f.GlyphBounds(char)
	}
	middle := height // of a tile that is large enough for the turned character
	tile := image.NewAlpha(image.Rect(0, 0, int(2*height), int(2*height)))
	drawer := font.Drawer{Dst: tile, Src: image.Opaque, Face: f, Dot: fixed.Point26_6{
		X: fixed.Int26_6(middle*64) - (bounds.Min.X+bounds.Max.X)/2,
		Y: fixed.Int26_6((middle + size*face.height/2) * 64),
	}}
	drawer.DrawString(string(char))

	sin, cos := math.Sincos(between(-0.18, 0.18))
	left, top := int(x-middle), int(y-middle)
	for ty := range tile.Rect.Max.Y {
		for tx := range tile.Rect.Max.X {
			dx, dy := float64(tx)-middle, float64(ty)-middle
			s.add(left+tx, top+ty, sample(tile, middle+dx*cos-dy*sin, middle+dx*sin+dy*cos))
		}
	}
}

// cross draws curves through the text: in ink, which join characters, and as gaps, which split them.
func (s sheet) cross(n int) {
	width, height := float64(s.Rect.Max.X), float64(s.Rect.Max.Y)
	for i := range n {
		thick := height / 60 * between(0.4, 0.6) // thinner than any stroke: a thicker line would turn a 6 into an 8
		middle, swing := height*between(0.4, 0.6), height*between(0.15, 0.3)
		phase, step := between(0, 2*math.Pi), between(2, 4)*math.Pi/width
		for x := 0.0; x < width; x += 0.25 {
			s.disc(x, middle+swing*math.Sin(phase+step*x), thick, i%2 == 0)
		}
	}
}

// speckle adds dots of ink and gaps, as a bad photocopier does.
func (s sheet) speckle(n int) {
	width, height := float64(s.Rect.Max.X), float64(s.Rect.Max.Y)
	for i := range n * int(width*height) / 600 {
		s.disc(between(0, width), between(0, height), height/60*between(0.3, 0.9), i%2 == 0)
	}
}

// invert swaps ink and background in bands, which a threshold for the whole picture cannot undo.
func (s sheet) invert() {
	height := float64(s.Rect.Max.Y)
	phase, tilt, step := between(0, 2*math.Pi), between(-1, 1), 2*math.Pi/(height*between(1.5, 2.3))
	for y := range s.Rect.Max.Y {
		for x := range s.Rect.Max.X {
			if math.Sin(phase+step*(float64(x)+tilt*float64(y))) > 0 {
				i := s.PixOffset(x, y)
				s.Pix[i] = 255 - s.Pix[i]
			}
		}
	}
}

// wave returns a copy of the sheet that is bent along both axes.
func (s sheet) wave() sheet {
	bent := sheet{image.NewAlpha(s.Rect)}
	height := float64(s.Rect.Max.Y)
	phaseX, phaseY := between(0, 2*math.Pi), between(0, 2*math.Pi)
	stepX, stepY := 2*math.Pi/(height*between(0.7, 1)), 2*math.Pi/(height*between(0.9, 1.3))
	swingX, swingY := height*between(0.03, 0.05), height*between(0.04, 0.06)
	for y := range s.Rect.Max.Y {
		for x := range s.Rect.Max.X {
			fx, fy := float64(x), float64(y)
			bent.add(x, y, sample(s.Alpha, fx+swingX*math.Sin(phaseX+fy*stepX), fy+swingY*math.Sin(phaseY+fx*stepY)))
		}
	}
	return bent
}

func (s sheet) disc(x, y, radius float64, ink bool) {
	for py := int(y - radius); py <= int(y+radius+1); py++ {
		for px := int(x - radius); px <= int(x+radius+1); px++ {
			cover := min(max(radius+0.5-math.Hypot(float64(px)-x, float64(py)-y), 0), 1)
			if ink {
				s.add(px, py, uint8(255*cover))
			} else if (image.Point{X: px, Y: py}).In(s.Rect) {
				i := s.PixOffset(px, py)
				s.Pix[i] = min(s.Pix[i], uint8(255*(1-cover)))
			}
		}
	}
}

func (s sheet) add(x, y int, ink uint8) {
	if ink == 0 || !(image.Point{X: x, Y: y}).In(s.Rect) {
		return
	}
	i := s.PixOffset(x, y)
	s.Pix[i] = max(s.Pix[i], ink)
}

// sample interpolates the ink at a point between four pixels. Outside the picture the outermost pixels continue.
func sample(from *image.Alpha, x, y float64) uint8 {
	x0, y0 := math.Floor(x), math.Floor(y)
	fx, fy := x-x0, y-y0
	at := func(dx, dy int) float64 {
		px := min(max(int(x0)+dx, 0), from.Rect.Max.X-1)
		py := min(max(int(y0)+dy, 0), from.Rect.Max.Y-1)
		return float64(from.Pix[py*from.Stride+px])
	}
	return uint8((at(0, 0)*(1-fx)+at(1, 0)*fx)*(1-fy) + (at(0, 1)*(1-fx)+at(1, 1)*fx)*fy)
}

func between(low, high float64) float64 { return low + rand.Float64()*(high-low) }

// typeface is a font and the height of its digits as a share of its size, so that all fonts are drawn equally high.
type typeface struct {
	font   *truetype.Font
	height float64
}

// loadFonts returns fonts that are easy to read; the first one is used for arithmetic signs. They are bold, because a
// single curve makes thin strokes illegible.
func loadFonts() ([]typeface, error) {
	var faces []typeface
	for _, ttf := range [][]byte{gobold.TTF, gobolditalic.TTF, gomonobold.TTF, gomonobolditalic.TTF} {
		f, err := truetype.Parse(ttf)
		if err != nil {
			return nil, fmt.Errorf("parse font: %w", err)
		}
		const size = 100
		bounds, _, ok := newFace(f, size).GlyphBounds('8')
		if !ok {
			return nil, errors.New("font without digits")
		}
		faces = append(faces, typeface{f, pixels(bounds.Max.Y-bounds.Min.Y) / size})
	}
	return faces, nil
}

// newFace returns a face for one goroutine and a single glyph, so it has the smallest cache.
func newFace(f *truetype.Font, size float64) font.Face {
	return truetype.NewFace(f, &truetype.Options{Size: size, GlyphCacheEntries: 1, SubPixelsX: 1, SubPixelsY: 1})
}

func pixels(v fixed.Int26_6) float64 { return float64(v) / 64 }

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
