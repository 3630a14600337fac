package brand

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"image/png"
	"math"
	"path"
	"unicode"
	"unicode/utf8"
)

// Image is a checked picture of the folder.
type Image struct {
	Name          string // of its file, such as logo.svg
	Content       []byte
	Width, Height float64 // in units of its own
}

// maxSide of a PNG in pixels.
const maxSide = 1024

// Fit returns the size at which the picture has a height, or a width of no more than most.
func (i *Image) Fit(height, most int) (w, h int) {
	scale := min(float64(height)/i.Height, float64(most)/i.Width)
	return max(1, int(math.Round(i.Width*scale))), max(1, int(math.Round(i.Height*scale)))
}

// readImage checks a picture by the ending of its name.
func readImage(name string, content []byte) (*Image, error) {
	if path.Ext(name) == ".svg" {
		w, h, err := checkSVG(content)
		return &Image{name, content, w, h}, err
	}
	size, err := png.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return nil, errors.New("is not a PNG")
	}
	if size.Width > maxSide || size.Height > maxSide || size.Width < 1 || size.Height < 1 {
		return nil, fmt.Errorf("has %d by %d pixels, want at most %d by %d", size.Width, size.Height, maxSide, maxSide)
	}
	if _, err := png.Decode(bytes.NewReader(content)); err != nil {
		return nil, errors.New("is a damaged PNG")
	}
	return &Image{name, content, float64(size.Width), float64(size.Height)}, nil
}

// initialIcon draws the first letter of a name on the accent, for a team without an icon.
func initialIcon(name string, t Theme) *Image {
	letter, _ := utf8.DecodeRuneInString(name)
	text := html.EscapeString(string(unicode.ToUpper(letter)))
	content := fmt.Sprintf(`<svg xmlns="`+svgSpace+`" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="%v"/>`+
		`<text x="16" y="22.5" font-family="sans-serif" font-size="18" font-weight="600" text-anchor="middle" fill="%v">%s</text></svg>`,
		t.Accent, t.OnAccent, text)
	return &Image{"icon.svg", []byte(content), 32, 32}
}
