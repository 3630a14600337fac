package brand_test

import (
	"bytes"
	"image"
	"image/png"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"usher/brand"
)

const plainLogo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><path d="M0 0h9"/></svg>`

// folder makes a folder of files.
func folder(files map[string]string) fstest.MapFS {
	f := fstest.MapFS{}
	for name, content := range files {
		f[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return f
}

func TestLoad_reads_everything(t *testing.T) {
	t.Parallel()
	b, err := brand.Load(folder(map[string]string{
		"brand.json": "\uFEFF" + `{"name": {"zh": "示例商城", "en": "Example Shop"}, "mail_name": "Example",
			"colours": {"light": {"accent": "#7a1fa2"}}, "links": {"help": {"zh": "https://example.com/zh", "en": "https://example.com/en"}},
			"icp": "京ICP备12345678号-1", "police": "京公网安备 11010802020134号"}`,
		"logo.svg": plainLogo, "logo-dark.png": picture(t, 240, 80), "touch-icon.png": picture(t, 180, 180),
		"texts.zh.json": `{"register.title": "欢迎"}`, "mails/code.zh.subject": "x",
		"security.txt": "Contact: mailto:security@example.com\nExpires: 2027-01-02T03:04:05Z\n", ".hidden": "x", "README.md": "x",
	}))
	if err != nil {
		t.Fatal(err)
	}
	light, dark := b.Logo()
	w, h := light.Fit(32, 220)
	number, link := b.Police()
	for what, got := range map[string]string{
		b.Name("zh"): "示例商城", b.Name("en"): "Example Shop", b.MailName("zh"): "Example", b.Help("en"): "https://example.com/en",
		b.ICP(): "京ICP备12345678号-1", number: "京公网安备 11010802020134号", link: "https://beian.mps.gov.cn/#/query/webSearch?code=11010802020134",
		light.Name: "logo.svg", dark.Name: "logo-dark.png", b.TouchIcon().Name: "touch-icon.png", b.Texts("zh")["register.title"]: "欢迎",
		b.Light().Accent.String(): "#7a1fa2", b.SecurityExpiry().Format("2006-01-02"): "2027-01-02",
	} {
		if what != got {
			t.Errorf("got %q, want %q", what, got)
		}
	}
	if w != 96 || h != 32 || b.Mails() == nil || !strings.Contains(string(b.Icon().Content), ">示<") {
		t.Errorf("logo of %d by %d, mails %v, icon %s", w, h, b.Mails(), b.Icon().Content)
	}
}

func picture(t *testing.T, width, height int) string {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLoad_says_what_is_wrong_and_what_would_be_right(t *testing.T) {
	t.Parallel()
	const named = `{"name": "Example"`
	svg := func(inside string) string {
		return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">` + inside + `</svg>`
	}
	for _, tt := range []struct{ file, content, want string }{
		{"brand.json", named + `, "colors": {}}`, `brand.json: unknown key "colors"; did you mean "colours"?`},
		{"brand.json", named + `, "colours": {"light": {"acent": "#000000"}}}`, `did you mean "accent"?`},
		{"brand.json", named + `, "colours": {"light": {"accent": "red"}}}`, `colours.light.accent: want a colour such as #0b6b57`},
		{"brand.json", named + `, "colours": {"dark": {"accent": "#ffffff"}}}`, `colours.light.accent: must be set`},
		{"brand.json", `{`, `brand.json: unexpected EOF`},
		{"brand.json", "{\n\n x", `brand.json: line 3`},
		{"brand.json", `{"name": "a"} {}`, `something after its end`},
		{"brand.json", `{"name": 7}`, `name: want a text, or an object`},
		{"brand.json", `{"name": {"zh": "x"}}`, `name: want a text, or an object with both`},
		{"brand.json", `{}`, `name: want one of 1 to 30 characters`},
		{"brand.json", `{"name": "` + strings.Repeat("长", 31) + `"}`, `name: want one of`},
		{"brand.json", `{"name": "<b>x</b>"}`, `name: want one of`},
		{"brand.json", `{"name": "a\u202eb"}`, `name: want one of`},
		{"brand.json", `{"name": "a\nb"}`, `name: want one of`},
		{"brand.json", named + `, "mail_name": "a\r\nBcc: b"}`, `mail_name: want one of`},
		{"brand.json", named + `, "links": {"help": "javascript:alert(1)"}}`, `links.help: want an address`},
		{"brand.json", named + `, "links": {"help": "https://user:word@example.com"}}`, `links.help: want an address`},
		{"brand.json", named + `, "icp": "12345"}`, `icp: want a number such as`},
		{"brand.json", named + `, "police": "x"}`, `police: want a number such as`},
		{"logo.jpg", "x", `logo.jpg: is not a file of this folder; did you mean "logo.png"?`},
		{"logo_dark.svg", plainLogo, `did you mean "logo-dark.svg"?`},
		{"logo-dark.svg", plainLogo, `logo-dark.svg: needs a logo for light pages`},
		{"logo.png", "no picture", `logo.png: is not a PNG`},
		{"logo.png", picture(t, 1025, 1), `has 1025 by 1 pixels`},
		{"logo.png", picture(t, 64, 64)[:60], `logo.png: is a damaged PNG`},
		{"logo.svg", svg(strings.Repeat(" ", 25<<10)), `logo.svg: is longer than 24 KiB`},
		{"logo.svg", svg(`<script>alert(1)</script>`), `has the element <script>`},
		{"logo.svg", svg(`<foreignObject/>`), `has the element <foreignObject>`},
		{"logo.svg", svg(`<a xlink:href="https://example.com"/>`), `has the element <a>`},
		{"logo.svg", svg(`<h:script xmlns:h="http://www.w3.org/1999/xhtml"/>`), `has the element <script>`},
		{"logo.svg", svg(`<path onload="alert(1)"/>`), `has the attribute onload`},
		{"logo.svg", svg(`<use xlink:href="https://example.com/x.svg#a"/>`), `leads out of the picture`},
		{"logo.svg", svg(`<use href="data:image/svg+xml,x"/>`), `leads out of the picture`},
		{"logo.svg", svg(`<path style="fill:url( 'https://example.com/a')"/>`), `loads something`},
		{"logo.svg", svg(`<path fill="url(https://example.com/a)"/>`), `loads something`},
		{"logo.svg", svg(`<style>@import "x";</style>`), `loads something`},
		{"logo.svg", svg(`<style>@im<!-- -->port "x";</style>`), `loads something`},
		{"logo.svg", svg(`<style>a{fill:u\72l(x)}</style>`), `loads something`},
		{"logo.svg", `<!DOCTYPE svg [<!ENTITY a "b">]>` + plainLogo, `document type`},
		{"logo.svg", `<?xml-stylesheet href="x"?>` + plainLogo, `instruction`},
		{"logo.svg", svg(`&a;`), `not well-formed`},
		{"logo.svg", svg(strings.Repeat(`<g/>`, 2001)), `more than 2000 elements`},
		{"logo.svg", `<svg xmlns="http://www.w3.org/2000/svg"/>`, `has no size`},
		{"logo.svg", `<svg viewBox="0 0 9 9"/>`, `has the element <svg>`},
		{"logo.svg", ``, `is empty`},
		{"logo.svg", "\xff", `not in UTF-8`},
		{"texts.zh.json", `{"a": 1}`, `texts.zh.json: `},
		{"texts.fr.json", `{}`, `did you mean "texts.`},
		{"security.txt", "Contact: somewhere\nExpires: 2027-01-02T03:04:05Z", `security.txt: want a line such as Contact`},
		{"security.txt", "Contact: mailto:a@example.com\nExpires: soon", `security.txt: want a line such as Expires`},
	} {
		files := map[string]string{"brand.json": named + "}"}
		files[tt.file] = tt.content
		if _, err := brand.Load(folder(files)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %.60q: got error %v, want %q", tt.file, tt.content, err, tt.want)
		}
	}
	if _, err := brand.Load(folder(map[string]string{"README": ""})); err == nil || err.Error() != "brand.json: is missing" {
		t.Errorf("a folder without brand.json: got error %v", err)
	}
}

func TestLoad_colours_that_cannot_be_read_name_one_that_can(t *testing.T) {
	t.Parallel()
	offered := regexp.MustCompile(`contrast of (\d+\.\d\d):1 and needs (4\.5|3\.0):1; the nearest colour that can be used is (#[0-9a-f]{6})$`)
	load := func(light, dark string) error {
		_, err := brand.Load(folder(map[string]string{"brand.json": `{"name": "a", "colours": {"light": ` + light + `, "dark": ` + dark + `}}`}))
		return err
	}
	colour := func(key, value string) string { return `{"accent": "#0b6b57", "` + key + `": "` + value + `"}` }
	for _, value := range []string{"#ffcc00", "#ff9500", "#07c160", "#00aeec", "#ffffff", "#e60012"} {
		err := load(`{"accent": "`+value+`"}`, "{}")
		if value == "#e60012" { // dark enough
			if err != nil {
				t.Errorf("%s: got error %v", value, err)
			}
			continue
		}
		if err == nil || !offered.MatchString(err.Error()) || !strings.HasPrefix(err.Error(), "brand.json: colours.light.accent: text ("+value+") on the card (#ffffff)") {
			t.Errorf("%s: got error %v, want the pair, its contrast and a better colour", value, err)
			continue
		}
		better := offered.FindStringSubmatch(err.Error())[3]
		if err := load(`{"accent": "`+better+`"}`, "{}"); err != nil {
			t.Errorf("%s: the offered colour %s is refused: %v", value, better, err)
		}
	}
	for _, err := range []error{
		load(`{"accent": "#0b6b57"}`, `{"accent": "#102030"}`),
		load(colour("on_accent", "#0b6b58"), "{}"),
	} {
		if err == nil || !offered.MatchString(err.Error()) {
			t.Errorf("got error %v", err)
		}
	}
}

// Colours that are derived keep the contrasts too, for accents all over the wheel.
func TestThemes_derived_colours_can_be_read(t *testing.T) {
	t.Parallel()
	for _, accent := range []string{"#0b6b57", "#1f5eff", "#7a1fa2", "#b3261e", "#8a5a00", "#000000", "#5a5a00", "#005f9e", "#c2185b"} {
		b, err := brand.Load(folder(map[string]string{"brand.json": `{"name": "a", "colours": {"light": {"accent": "` + accent + `"}}}`}))
		if err != nil {
			t.Errorf("%s: %v", accent, err)
			continue
		}
		for name, theme := range map[string]brand.Theme{"light": b.Light(), "dark": b.Dark()} {
			for pair, contrast := range map[string]float64{
				"text on the accent": brand.Contrast(theme.OnAccent, theme.Accent), "text below the pointer": brand.Contrast(theme.OnAccent, theme.AccentHover),
				"links": brand.Contrast(theme.Accent, theme.Card), "links below the pointer": brand.Contrast(theme.AccentHover, theme.Card),
				"buttons": brand.Contrast(theme.Accent, theme.Soft), "notices": brand.Contrast(theme.Good, theme.Soft),
			} {
				if contrast < 4.5 {
					t.Errorf("%s, %s: %s have a contrast of %.2f", accent, name, pair, contrast)
				}
			}
		}
	}
}

// Known values: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
func TestContrast_is_that_of_WCAG(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]float64{{"#000000", "#ffffff"}: 21, {"#777777", "#ffffff"}: 4.478, {"#ffffff", "#ffffff"}: 1} {
		a, _ := brand.ParseColour(pair[0])
		b, _ := brand.ParseColour(pair[1])
		if got := brand.Contrast(a, b); got < want-0.001 || got > want+0.001 {
			t.Errorf("%v: got %.3f, want %.3f", pair, got, want)
		}
	}
}

func TestInsert_keeps_the_spaces_of_Chinese_texts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"示例": "我同意示例为我开户，示例的人。", "Acme": "我同意 Acme 为我开户，Acme 的人。", "Acme示例": "我同意 Acme示例为我开户，Acme示例的人。",
	} {
		if got := brand.Insert("我同意 {name} 为我开户，{name} 的人。", "{name}", name); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := brand.Insert("Is {name} here?", "{name}", "示例"); got != "Is 示例 here?" {
		t.Errorf("got %q", got)
	}
}

func FuzzLoad_SVG(f *testing.F) {
	f.Add(plainLogo)
	f.Add(`<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><style>a{}</style></svg>`)
	f.Fuzz(func(t *testing.T, content string) {
		b, err := brand.Load(folder(map[string]string{"brand.json": `{"name": "a"}`, "logo.svg": content}))
		if err != nil {
			return
		}
		light, _ := b.Logo()
		if w, h := light.Fit(32, 220); w < 1 || w > 220 || h < 1 || h > 32 {
			t.Errorf("a logo of %d by %d", w, h)
		}
		lower := strings.ToLower(content)
		if strings.Contains(lower, "<script") && !strings.Contains(lower, "<!--") && !strings.Contains(lower, "cdata") {
			t.Errorf("a script passed: %q", content)
		}
	})
}
