package captcha

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"
	"sync"

	"golang.org/x/image/vector"
)

// sheet is a picture before it is coloured: the amount of ink on each pixel.
type sheet struct{ *image.Alpha }

// draw returns text as a PNG of a width. All ink has one colour, so that colours do not separate characters from lines.
func (m *Maker) draw(text string, width int) ([]byte, error) {
	s := sheet{image.NewAlpha(image.Rect(0, 0, width, m.config.Height))}
	pen := vector.NewRasterizer(width, m.config.Height)
	for _, character := range m.place(text, width) {
		character.trace(pen)
	}
	pen.Draw(s.Alpha, s.Rect, image.Opaque, image.Point{})
	s.cross(m.config.Noise, m.lineWidth())
	s.invert()
	s = s.wave()
	s.speckle(m.config.Noise)

	picture := image.NewPaletted(s.Rect, m.colors.next())
	for i, ink := range s.Pix {
		picture.Pix[i] = ink / (256 / shades)
	}
	var out bytes.Buffer
	if err := encoder.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("captcha: encode picture: %w", err)
	}
	return out.Bytes(), nil
}

// encoder keeps its buffers: the compressor alone has more than a megabyte.
var encoder = png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: &encoderBuffers{}}

type encoderBuffers struct{ pool sync.Pool }

func (b *encoderBuffers) Get() *png.EncoderBuffer {
	buffer, _ := b.pool.Get().(*png.EncoderBuffer)
	return buffer // nil makes the encoder allocate one
}

func (b *encoderBuffers) Put(buffer *png.EncoderBuffer) { b.pool.Put(buffer) }

// Shares of the picture's height. No character is nearer to an edge than the waves move it, and a little more.
const (
	maxSwingX, maxSwingY        = 0.05, 0.06
	clearX, clearY              = maxSwingX + 0.02, maxSwingY + 0.02
	widestCell                  = 0.65 // more room would only separate the characters, which helps a solver
	widestLetter                = 0.5  // the same for letters of words, which people read as a whole
	shortestDigit, tallestDigit = 0.54, 0.64
)

// maxSignTurn is the most degrees that an arithmetic sign is turned: a plus that is turned more looks like a cross.
const maxSignTurn = 10

// place returns the shapes of the characters side by side, each of a random font, height, position and angle, so that
// all of them are inside the picture. Blanks have room and no shape.
func (m *Maker) place(text string, width int) []outline {
	height := float64(m.config.Height)
	margin := height / 7
	room := float64(width) - 2*margin
	widest := widestCell
	if m.config.Kind == Words {
		widest = widestLetter
	}
	cell := min(room/float64(len(text)), widest*height)
	left := margin + between(0, room-cell*float64(len(text)))
	placed := make([]outline, 0, len(text))
	for i, char := range text {
		if char == ' ' {
			continue
		}
		face, turn := m.fonts[rand.IntN(len(m.fonts))], float64(*m.config.Rotation)
		if strings.ContainsRune(mathSigns, char) {
			face = m.fonts[0] // a minus must not look like a speck, nor a plus like a letter
			turn = min(turn, maxSignTurn)
		}
		x := left + cell*(float64(i)+0.5) + between(-0.06, 0.06)*cell
		y := height * between(0.44, 0.56)
		shape := face.glyphs[char]
		upright := shape.bounds()
		shape = shape.turned(between(-turn, turn) * math.Pi / 180)
		box := shape.bounds()
		size := min(m.size(face), cell*0.95/upright.width(), cell*1.15/box.width(), (1-2*clearY)*height/box.height())
		x = min(max(x, clearX*height-box.left*size), float64(width)-clearX*height-box.right*size)
		y = min(max(y, clearY*height-box.top*size), (1-clearY)*height-box.bottom*size)
		placed = append(placed, shape.moved(size, x, y))
	}
	return placed
}

// size is a random font size in pixels.
func (m *Maker) size(face typeface) float64 {
	if m.config.FontSize != 0 {
		return float64(m.config.FontSize) * between(0.92, 1.08)
	}
	return float64(m.config.Height) * between(shortestDigit, tallestDigit) / face.height
}

// lineWidth is how wide the lines through the text are, as a share of the height.
func (m *Maker) lineWidth() float64 {
	if m.config.Kind == Words {
		return 1.6 / 60 // people still know the word, and a solver reads too few of its letters to know it
	}
	return 1.0 / 60 // thinner than any stroke: a wider line would turn a 6 into an 8
}

// cross draws curves through the text: in ink, which join characters, and as gaps, which split them.
func (s sheet) cross(n int, lineWidth float64) {
	width, height := float64(s.Rect.Max.X), float64(s.Rect.Max.Y)
	for i := range n {
		radius := height * lineWidth * between(0.4, 0.6)
		middle, swing := height*between(0.4, 0.6), height*between(0.15, 0.3)
		phase, step := between(0, 2*math.Pi), between(2, 4)*math.Pi/width
		for x := 0.0; x < width; x += 0.25 {
			s.disc(x, middle+swing*math.Sin(phase+step*x), radius, i%2 == 0)
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
	phase, tilt, step := rand.Float64(), between(-1, 1), 1/(float64(s.Rect.Max.Y)*between(1.5, 2.3))
	for y := range s.Rect.Max.Y {
		row := s.Pix[y*s.Stride:][:s.Rect.Max.X]
		for x := range row {
			turns := phase + step*(float64(x)+tilt*float64(y))
			if turns-math.Floor(turns) < 0.5 {
				row[x] = 255 - row[x]
			}
		}
	}
}

// wave returns a copy of the sheet that is bent along both axes.
func (s sheet) wave() sheet {
	bent := sheet{image.NewAlpha(s.Rect)}
	height := float64(s.Rect.Max.Y)
	across := swings(s.Rect.Max.Y, height*between(0.03, maxSwingX), 2*math.Pi/(height*between(0.7, 1)))
	down := swings(s.Rect.Max.X, height*between(0.04, maxSwingY), 2*math.Pi/(height*between(0.9, 1.3)))
	for y := range s.Rect.Max.Y {
		row := bent.Pix[y*bent.Stride:][:bent.Rect.Max.X]
		for x := range row {
			row[x] = s.sample(float64(x)+across[y], float64(y)+down[x])
		}
	}
	return bent
}

// swings returns n points of a sine with a random phase.
func swings(n int, swing, step float64) []float64 {
	out := make([]float64, n)
	phase := between(0, 2*math.Pi)
	for i := range out {
		out[i] = swing * math.Sin(phase+step*float64(i))
	}
	return out
}

func (s sheet) disc(x, y, radius float64, ink bool) {
	for py := max(int(y-radius), 0); py <= min(int(y+radius+1), s.Rect.Max.Y-1); py++ {
		for px := max(int(x-radius), 0); px <= min(int(x+radius+1), s.Rect.Max.X-1); px++ {
			dx, dy := float64(px)-x, float64(py)-y
			cover := uint8(255 * min(max(radius+0.5-math.Sqrt(dx*dx+dy*dy), 0), 1))
			if at := &s.Pix[py*s.Stride+px]; ink {
				*at = max(*at, cover)
			} else {
				*at = min(*at, 255-cover)
			}
		}
	}
}

// sample interpolates the ink at a point between four pixels. Outside the picture the outermost pixels continue.
func (s sheet) sample(x, y float64) uint8 {
	x0, y0 := math.Floor(x), math.Floor(y)
	fx, fy := x-x0, y-y0
	right, bottom := s.Rect.Max.X-1, s.Rect.Max.Y-1
	left, next := min(max(int(x0), 0), right), min(max(int(x0)+1, 0), right)
	above, below := min(max(int(y0), 0), bottom)*s.Stride, min(max(int(y0)+1, 0), bottom)*s.Stride
	top := float64(s.Pix[above+left])*(1-fx) + float64(s.Pix[above+next])*fx
	return uint8(top*(1-fy) + (float64(s.Pix[below+left])*(1-fx)+float64(s.Pix[below+next])*fx)*fy)
}

func between(low, high float64) float64 { return low + rand.Float64()*(high-low) }
