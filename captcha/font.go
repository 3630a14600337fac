package captcha

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// typeface has the shapes of the characters that are drawn. They are read once, at the start: a font of the operator may
// be broken, and no request should discover it.
type typeface struct {
	glyphs map[rune]outline
	height float64 // of its first character as a share of the font size, so that all fonts are drawn equally high
}

// outline is the shape of a character. In a typeface its unit is the font size, and (0, 0) is its middle: between its left
// and right edges, and half of the typeface's height above the line that it stands on.
type outline []stroke

// stroke is one segment: as many of its points count as its operation has.
type stroke struct {
	op sfnt.SegmentOp
	to [3]point
}

type point struct{ x, y float64 }

type box struct{ left, top, right, bottom float64 }

func (b box) width() float64  { return b.right - b.left }
func (b box) height() float64 { return b.bottom - b.top }

// points is the number of points of an operation.
func points(op sfnt.SegmentOp) int {
	switch op {
	case sfnt.SegmentOpQuadTo:
		return 2
	case sfnt.SegmentOpCubeTo:
		return 3
	default:
		return 1
	}
}

// bounds is the smallest box around all points. A curve is inside the triangle or quadrangle of its points.
func (o outline) bounds() box {
	b := box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, s := range o {
		for _, p := range s.to[:points(s.op)] {
			b.left, b.right = min(b.left, p.x), max(b.right, p.x)
			b.top, b.bottom = min(b.top, p.y), max(b.bottom, p.y)
		}
	}
	return b
}

// with returns the outline with every point changed.
func (o outline) with(change func(point) point) outline {
	changed := make(outline, len(o))
	for i, s := range o {
		changed[i].op = s.op
		for j, p := range s.to[:points(s.op)] {
			changed[i].to[j] = change(p)
		}
	}
	return changed
}

// turned returns the outline turned around its middle by an angle in radians.
func (o outline) turned(angle float64) outline {
	sin, cos := math.Sincos(angle)
	return o.with(func(p point) point { return point{p.x*cos - p.y*sin, p.x*sin + p.y*cos} })
}

// moved returns the outline of a font size, in pixels, with its middle at (x, y).
func (o outline) moved(size, x, y float64) outline {
	return o.with(func(p point) point { return point{p.x*size + x, p.y*size + y} })
}

// trace adds the outline to what pen will draw.
func (o outline) trace(pen *vector.Rasterizer) {
	for i, s := range o {
		a, b, c := s.to[0], s.to[1], s.to[2]
		switch s.op {
		case sfnt.SegmentOpMoveTo:
			if i > 0 {
				pen.ClosePath()
			}
			pen.MoveTo(float32(a.x), float32(a.y))
		case sfnt.SegmentOpLineTo:
			pen.LineTo(float32(a.x), float32(a.y))
		case sfnt.SegmentOpQuadTo:
			pen.QuadTo(float32(a.x), float32(a.y), float32(b.x), float32(b.y))
		case sfnt.SegmentOpCubeTo:
			pen.CubeTo(float32(a.x), float32(a.y), float32(b.x), float32(b.y), float32(c.x), float32(c.y))
		}
	}
	pen.ClosePath()
}

// loadFonts returns the shapes of chars in the font of a file, or in our own where path is empty. Ours are easy to read;
// the first one is used for arithmetic signs. They are bold, because a single curve makes thin strokes illegible.
func loadFonts(path, chars string) ([]typeface, error) {
	files := [][]byte{gobold.TTF, gobolditalic.TTF, gomonobold.TTF, gomonobolditalic.TTF}
	if path != "" {
		file, err := readFile(path, maxFontFile)
		if err != nil {
			return nil, err
		}
		files = [][]byte{file}
	}
	faces := make([]typeface, 0, len(files))
	for _, file := range files {
		face, err := parseFont(file, chars)
		if err != nil {
			return nil, err
		}
		faces = append(faces, face)
	}
	return faces, nil
}

// Bounds of a font that is not ours. Fonts with all Chinese characters have up to 30 MiB; a bold Latin character has some
// 40 strokes, and an ornamental one hundreds.
const (
	maxFontFile = 32 << 20
	maxStrokes  = 2000
	maxStretch  = 20 // how much larger or smaller a character may be than the font size
)

// parseFont returns the shapes of chars, of which the first one gives the height. Of a collection it takes the first font.
func parseFont(file []byte, chars string) (face typeface, err error) {
	defer func() {
		if p := recover(); p != nil { // the parser is not ours, and neither is the font
			face, err = typeface{}, errors.New("is not a font that can be read")
		}
	}()
	collection, err := sfnt.ParseCollection(file)
	if err != nil {
		return typeface{}, fmt.Errorf("is not a TrueType or OpenType font: %w", err)
	}
	f, err := collection.Font(0)
	if err != nil {
		return typeface{}, fmt.Errorf("is not a TrueType or OpenType font: %w", err)
	}
	face.glyphs = make(map[rune]outline, len(chars))
	var buffer sfnt.Buffer
	for _, char := range chars {
		shape, err := loadOutline(f, &buffer, char)
		if err != nil {
			return typeface{}, err
		}
		b := shape.bounds()
		if face.height == 0 {
			face.height = -b.top
		}
		if !sensible(b) || face.height <= 1/float64(maxStretch) {
			return typeface{}, fmt.Errorf("has no usable shape of %q", char)
		}
		face.glyphs[char] = shape.moved(1, -(b.left+b.right)/2, face.height/2)
	}
	return face, nil
}

// sensible reports whether a shape is neither a point nor so large or far away that its font is broken.
func sensible(b box) bool {
	return b.width() > 1/float64(maxStretch) && b.height() > 1/float64(maxStretch)/2 &&
		max(math.Abs(b.left), math.Abs(b.right), math.Abs(b.top), math.Abs(b.bottom)) < maxStretch
}

// loadOutline returns the shape of char as it is in the font, where y is 0 on the line that the characters stand on.
func loadOutline(f *sfnt.Font, buffer *sfnt.Buffer, char rune) (outline, error) {
	index, err := f.GlyphIndex(buffer, char)
	if err != nil || index == 0 {
		return nil, fmt.Errorf("has no character %q", char)
	}
	const size = 1024 // of which the points are multiples of 1/64
	segments, err := f.LoadGlyph(buffer, index, fixed.I(size), nil)
	if err != nil {
		return nil, fmt.Errorf("has no usable shape of %q: %w", char, err)
	}
	if len(segments) == 0 || len(segments) > maxStrokes {
		return nil, fmt.Errorf("has a shape of %q with %d strokes, not 1 to %d", char, len(segments), maxStrokes)
	}
	shape := make(outline, len(segments))
	for i, s := range segments {
		shape[i].op = s.Op
		for j := range points(s.Op) {
			shape[i].to[j] = point{float64(s.Args[j].X) / (64 * size), float64(s.Args[j].Y) / (64 * size)}
		}
	}
	return shape, nil
}

// readFile reads a regular file that is not larger than limit. A device or a pipe could keep the start waiting.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("is larger than %d MiB", limit>>20)
	}
	return data, nil
}
