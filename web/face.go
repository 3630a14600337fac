package web

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"usher/brand"
	"usher/web/embedded"
)

// productName is what texts have in place of the product's name.
const productName = "{name}"

// maxText is the length of a team's text in characters.
const maxText = 600

// readTexts returns the texts with those of the team, and with the product's name in them.
func readTexts(face *brand.Brand) (map[string]embedded.Texts, error) {
	all, err := embedded.ReadTexts(files, chinese, english)
	if err != nil {
		return nil, err
	}
	var errs []error
	for lang, texts := range all {
		own := face.Texts(lang)
		for _, key := range slices.Sorted(maps.Keys(own)) {
			if err := checkText(texts, key, own[key]); err != nil {
				errs = append(errs, fmt.Errorf("texts.%s.json: %w", lang, err))
			}
		}
		maps.Copy(texts, own)
		for key, text := range texts {
			texts[key] = brand.Insert(text, productName, face.Name(lang))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return all, errors.Join(errs...)
}

// placeholders are what a text says with values: the verbs of Go, and the number that the script fills in.
var placeholders = regexp.MustCompile(`%[a-z]|\{n\}`)

// checkText compares a text of the team with the one that it replaces. It is escaped wherever it is shown, so markup would be visible.
func checkText(texts embedded.Texts, key, text string) error {
	usual, known := texts[key]
	length := utf8.RuneCountInString(text)
	switch {
	case !known:
		return fmt.Errorf("there is no text %q%s", brand.Printable(key), brand.Suggest(key, slices.Collect(maps.Keys(texts))))
	case strings.HasPrefix(key, "lang."):
		return fmt.Errorf("%s: is the name of a language, which cannot be replaced", key)
	case strings.TrimSpace(text) == "" || length > maxText || strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%s: want one line of 1 to %d characters", key, maxText)
	}
	want := placeholders.FindAllString(usual, -1)
	if got := placeholders.FindAllString(text, -1); !slices.Equal(got, want) {
		return fmt.Errorf("%s: want the placeholders %q in this order, got %q", key, want, got)
	}
	if rest := placeholders.ReplaceAllString(text, ""); len(want) > 0 && strings.Contains(rest, "%") {
		return fmt.Errorf("%s: has %% beside a placeholder", key)
	}
	return nil
}

// readAssets returns the files for browsers, with the colours and pictures of the team.
func readAssets(face *brand.Brand) (embedded.Assets, error) {
	assets, err := embedded.HashAssets(files, "static/usher.js", "static/app.js", "static/admin.css")
	if err != nil {
		return nil, err
	}
	own := []string{"static/icon.svg", "static/touch-icon.png"}
	if face.IsOwn() {
		own = nil
	}
	style, err := files.ReadFile("static/app.css")
	if err != nil {
		return nil, fmt.Errorf("read style sheet: %w", err)
	}
	assets.Add("app.css", append(style, styleOf(face)...))
	for _, file := range own {
		content, err := files.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read icon: %w", err)
		}
		assets.Add(strings.TrimPrefix(file, "static/"), content)
	}
	light, dark := face.Logo()
	for _, picture := range []*brand.Image{light, dark, face.Icon(), face.TouchIcon()} {
		if picture != nil {
			assets.Add(picture.Name, picture.Content)
		}
	}
	return assets, nil
}

// styleOf sets the colours of the team, after those of the style sheet.
func styleOf(face *brand.Brand) string {
	if !face.IsOwn() {
		return ""
	}
	theme := func(t brand.Theme) string {
		return fmt.Sprintf(":root { --accent: %v; --accent-hover: %v; --on-accent: %v; --soft: %v; }", t.Accent, t.AccentHover, t.OnAccent, t.Soft)
	}
	return theme(face.Light()) + "\n@media (prefers-color-scheme: dark) {\n" + theme(face.Dark()) + "\n}\n"
}

// Sizes of a logo in pixels.
const (
	logoHeight = 32
	logoWidth  = 220
)

// Logo is what the template needs of it.
type Logo struct {
	URL, Dark     string // Dark is empty where one picture is for both themes
	Width, Height int
}

// Logo returns the team's logo, or nil.
func (r *Renderer) Logo() *Logo {
	light, dark := r.face.Logo()
	if light == nil {
		return nil
	}
	l := &Logo{URL: r.AssetURL(light.Name)}
	l.Width, l.Height = light.Fit(logoHeight, logoWidth)
	if dark != light {
		l.Dark = r.AssetURL(dark.Name)
	}
	return l
}

// Files are the contents of [Renderer.Static] by their names.
func (r *Renderer) Files() map[string][]byte { return r.assets.Files() }

// SecurityTxt is the team's file for finders of security problems; empty: there is none.
func (r *Renderer) SecurityTxt() []byte { return r.face.SecurityTxt() }

// IsOurs reports whether pages have Usher's own face.
func (r *Renderer) IsOurs() bool { return !r.face.IsOwn() }

// IconURL returns the path of the icon for browsers' tabs, and TouchIconURL that for home screens, which may be "".
func (r *Renderer) IconURL() string {
	if icon := r.face.Icon(); icon != nil {
		return r.AssetURL(icon.Name)
	}
	return r.AssetURL("icon.svg")
}

// TouchIconURL is explained at [Renderer.IconURL].
func (r *Renderer) TouchIconURL() string { return r.AssetURL("touch-icon.png") }

// Product is the product's name in the page's language.
func (v view) Product() string { return v.face.Name(v.Lang) }

// Help is the address of the team's help, or "".
func (v view) Help() string { return v.face.Help(v.Lang) }

// ICP is the number of the site's filing, or "".
func (v view) ICP() string { return v.face.ICP() }

// Filing is a number with the address of its entry.
type filing struct{ Number, URL string }

// Police is the filing with the public security, or nil.
func (v view) Police() *filing {
	number, link := v.face.Police()
	if number == "" {
		return nil
	}
	return &filing{number, link}
}
