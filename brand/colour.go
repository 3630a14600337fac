package brand

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Colour is an opaque colour of sRGB.
type Colour struct{ R, G, B uint8 }

// ParseColour reads #RRGGBB.
func ParseColour(text string) (Colour, error) {
	if len(text) == 7 && text[0] == '#' {
		if n, err := strconv.ParseUint(text[1:], 16, 32); err == nil {
			return Colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil //nolint:gosec // The lowest eight bits are meant.
		}
	}
	return Colour{}, errors.New("want a colour such as #0b6b57")
}

// String returns #rrggbb.
func (c Colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// linear returns the components without gamma.
func (c Colour) linear() [3]float64 {
	var out [3]float64
	for i, v := range [3]uint8{c.R, c.G, c.B} {
		s := float64(v) / 255
		if out[i] = s / 12.92; s > 0.04045 {
			out[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return out
}

// Contrast returns the contrast of two colours by WCAG 2, from 1 to 21.
func Contrast(a, b Colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func (c Colour) luminance() float64 {
	l := c.linear()
	return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
}

// oklab is a colour in the space OKLab, where equal distances look alike.
// https://bottosson.github.io/posts/oklab/
type oklab struct{ l, a, b float64 }

func (c Colour) oklab() oklab {
	v := c.linear()
	l := math.Cbrt(0.4122214708*v[0] + 0.5363325363*v[1] + 0.0514459929*v[2])
	m := math.Cbrt(0.2119034982*v[0] + 0.6806995451*v[1] + 0.1073969566*v[2])
	s := math.Cbrt(0.0883024619*v[0] + 0.2817188376*v[1] + 0.6299787005*v[2])
	return oklab{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

// colour returns the colour of sRGB. Where there is none, the chroma is reduced until there is one, and the hue stays.
func (o oklab) colour() Colour {
	const steps = 32
	for i := steps; i > 0; i-- {
		share := float64(i) / steps
		if c, inside := (oklab{o.l, o.a * share, o.b * share}).clipped(); inside {
			return c
		}
	}
	c, _ := oklab{o.l, 0, 0}.clipped()
	return c
}

// clipped returns the nearest components that sRGB has, and whether these are the colour itself.
func (o oklab) clipped() (c Colour, inside bool) {
	cube := func(x float64) float64 { return x * x * x }
	l := cube(o.l + 0.3963377774*o.a + 0.2158037573*o.b)
	m := cube(o.l - 0.1055613458*o.a - 0.0638541728*o.b)
	s := cube(o.l - 0.0894841775*o.a - 1.2914855480*o.b)
	inside = true
	component := func(v float64) uint8 {
		const tolerance = 0.002
		inside = inside && v > -tolerance && v < 1+tolerance
		v = min(max(v, 0), 1)
		if v > 0.0031308 {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		} else {
			v *= 12.92
		}
		return uint8(math.Round(v * 255))
	}
	c = Colour{
		component(4.0767416621*l - 3.3077115913*m + 0.2309699292*s),
		component(-1.2684380046*l + 2.6097574011*m - 0.3413193965*s),
		component(-0.0041960863*l - 0.7034186147*m + 1.7076147010*s),
	}
	return c, inside
}

// lighter returns the colour with another lightness and its hue; a negative share is darker.
func (c Colour) lighter(by float64) Colour {
	o := c.oklab()
	o.l = min(max(o.l+by, 0), 1)
	return o.colour()
}

// mix returns the colour with a share of another one.
func (c Colour) mix(other Colour, share float64) Colour {
	blend := func(a, b uint8) uint8 { return uint8(math.Round(float64(a)*(1-share) + float64(b)*share)) }
	return Colour{blend(c.R, other.R), blend(c.G, other.G), blend(c.B, other.B)}
}

// nearest returns the colour of the same hue, with the least other lightness, that is good. Black or white is returned where
// none is.
func (c Colour) nearest(isGood func(Colour) bool) Colour {
	const steps = 500
	for i := range steps {
		by := float64(i) / steps
		for _, candidate := range []Colour{c.lighter(-by), c.lighter(by)} {
			if isGood(candidate) {
				return candidate
			}
		}
	}
	if black := (Colour{}); isGood(black) {
		return black
	}
	return Colour{255, 255, 255}
}
