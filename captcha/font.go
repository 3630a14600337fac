package captcha

import (
	"errors"
	"fmt"

	"github.com/golang/freetype/truetype"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/math/fixed"
)

// typeface is a font and the height of its digits as a part of its size, so that all fonts are drawn equally high.
type typeface struct {
	font   *truetype.Font
	height float64
}

// loadFonts returns the fonts that a person reads without effort; the first has every sign of arithmetic. They are bold:
// a single curve makes hairlines illegible.
func loadFonts() ([]typeface, error) {
	fonts := []*truetype.Font{}
	for _, ttf := range [][]byte{gobold.TTF, gobolditalic.TTF, gomonobold.TTF, gomonobolditalic.TTF} {
		f, err := truetype.Parse(ttf)
		if err != nil {
			return nil, fmt.Errorf("parse font: %w", err)
		}
		fonts = append(fonts, f)
	}

	faces := make([]typeface, len(fonts))
	for i, f := range fonts {
		const size = 100
		bounds, _, ok := newFace(f, size).GlyphBounds('8')
		if !ok {
			return nil, errors.New("font without digits")
		}
		faces[i] = typeface{f, pixels(bounds.Max.Y-bounds.Min.Y) / size}
	}
	return faces, nil
}

// newFace returns a face for one goroutine. It is made for a single glyph, hence the smallest cache.
func newFace(f *truetype.Font, size float64) font.Face {
	return truetype.NewFace(f, &truetype.Options{Size: size, GlyphCacheEntries: 1, SubPixelsX: 1, SubPixelsY: 1})
}

func pixels(v fixed.Int26_6) float64 { return float64(v) / 64 }
