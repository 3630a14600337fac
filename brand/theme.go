package brand

import (
	"errors"
	"fmt"
)

// Theme are the colours of light or dark pages that depend on the accent, and those that they are seen on.
type Theme struct {
	Accent      Colour // of links, main buttons and the outline of the focus
	AccentHover Colour // below the pointer
	OnAccent    Colour // text on both
	Soft        Colour // behind notices

	Page, Card Colour // behind everything, and behind the forms
	Good       Colour // text of notices
}

// Usher's own themes. The style sheet of the pages has the same values; a test compares them.
var (
	ownLight = Theme{
		Accent: Colour{0x0b, 0x6b, 0x57}, AccentHover: Colour{0x09, 0x56, 0x46}, OnAccent: Colour{0xff, 0xff, 0xff}, Soft: Colour{0xe6, 0xf1, 0xee},
		Page: Colour{0xf4, 0xf6, 0xf4}, Card: Colour{0xff, 0xff, 0xff}, Good: Colour{0x14, 0x69, 0x3f},
	}
	ownDark = Theme{
		Accent: Colour{0x62, 0xd2, 0xb3}, AccentHover: Colour{0x86, 0xdf, 0xc6}, OnAccent: Colour{0x06, 0x24, 0x1c}, Soft: Colour{0x1c, 0x30, 0x2a},
		Page: Colour{0x0f, 0x15, 0x13}, Card: Colour{0x17, 0x1f, 0x1c}, Good: Colour{0x85, 0xdd, 0xa6},
	}
)

// Contrasts that WCAG 2.2 asks for at level AA: of text (1.4.3), and of outlines (1.4.11).
const (
	textContrast    = 4.5
	outlineContrast = 3.0
)

// chosen are the colours of a theme in brand.json; an absent one is empty.
type chosen struct {
	Accent   string `json:"accent"`
	OnAccent string `json:"on_accent"`
}

// parse returns the colours of the theme of a name; an absent one is nil.
func (c chosen) parse(name string) (accent, onAccent *Colour, err error) {
	var errs [2]error
	accent, errs[0] = optional("colours."+name+".accent", c.Accent)
	onAccent, errs[1] = optional("colours."+name+".on_accent", c.OnAccent)
	return accent, onAccent, errors.Join(errs[:]...)
}

func optional(key, text string) (*Colour, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // Absent, and no mistake.
	}
	c, err := ParseColour(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return &c, nil
}

// themes makes both themes of what was chosen. Without an accent of the dark one it has the nearest to that of the light one that
// can be read.
func themes(light, dark chosen) (ofLight, ofDark Theme, err error) {
	if light == (chosen{}) && dark == (chosen{}) {
		return ownLight, ownDark, nil
	}
	if light.Accent == "" {
		return ofLight, ofDark, errors.New("colours.light.accent: must be set with other colours")
	}
	accent, onAccent, lightErr := light.parse("light")
	darkAccent, onDarkAccent, darkErr := dark.parse("dark")
	if err := errors.Join(lightErr, darkErr); err != nil {
		return ofLight, ofDark, err
	}
	if darkAccent == nil {
		derived := accent.nearest(func(c Colour) bool { return c.accentProblem(ownDark) == "" })
		darkAccent = &derived
	}
	ofLight, lightErr = ownLight.with("light", *accent, onAccent, ownLight.OnAccent)
	ofDark, darkErr = ownDark.with("dark", *darkAccent, onDarkAccent, ownDark.Page)
	return ofLight, ofDark, errors.Join(lightErr, darkErr)
}

// with checks the contrasts of an accent and of the text on it, which is usual where none is chosen, and derives the rest.
func (t Theme) with(name string, accent Colour, chosen *Colour, usual Colour) (Theme, error) {
	own := t
	t.Accent, t.OnAccent = accent, usual
	if chosen != nil {
		t.OnAccent = *chosen
	}
	if problem := accent.accentProblem(own); problem != "" {
		good := accent.nearest(func(c Colour) bool { return c.accentProblem(own) == "" })
		return t, fmt.Errorf("colours.%s.accent: %s; the nearest colour that can be used is %v", name, problem, good)
	}
	if contrast := Contrast(t.OnAccent, accent); contrast < textContrast {
		good := t.OnAccent.nearest(func(c Colour) bool { return Contrast(c, accent) >= textContrast })
		return t, fmt.Errorf("colours.%s.on_accent: %s; the nearest colour that can be used is %v", name,
			tooPale("text", t.OnAccent, "the accent", accent, contrast, textContrast), good)
	}
	const step = 0.06
	away := step // from the text on it
	if t.OnAccent.luminance() > accent.luminance() {
		away = -step
	}
	t.AccentHover = accent.lighter(away)
	t.Soft = t.soft()
	return t, nil
}

// LeastContrast is the lowest contrast of texts in the accent and on it.
func (t Theme) LeastContrast() float64 {
	return min(Contrast(t.Accent, t.Card), Contrast(t.OnAccent, t.Accent), Contrast(t.Accent, t.Soft), Contrast(t.OnAccent, t.AccentHover))
}

// soft is the card with as much of the accent as its texts allow.
func (t Theme) soft() Colour {
	for share := 0.12; share > 0; share -= 0.01 {
		if c := t.Card.mix(t.Accent, share); Contrast(t.Accent, c) >= textContrast && Contrast(t.Good, c) >= textContrast {
			return c
		}
	}
	return t.Card
}

// accentProblem says which contrast a colour lacks as the accent of a theme; it is empty where it lacks none.
func (c Colour) accentProblem(on Theme) string {
	for _, pair := range []struct {
		what, behind string
		colour       Colour
		want         float64
	}{
		{"text", "the card", on.Card, textContrast},
		{"the outline of the focus", "the card", on.Card, outlineContrast},
		{"the outline of the focus", "the page", on.Page, outlineContrast},
	} {
		if contrast := Contrast(c, pair.colour); contrast < pair.want {
			return tooPale(pair.what, c, pair.behind, pair.colour, contrast, pair.want)
		}
	}
	return ""
}

func tooPale(what string, c Colour, behind string, b Colour, contrast, want float64) string {
	// Two digits, rounded down: 4.496 is less than 4.5 and shall look so.
	return fmt.Sprintf("%s (%v) on %s (%v) has a contrast of %.2f:1 and needs %.1f:1", what, c, behind, b, float64(int(contrast*100))/100, want)
}
