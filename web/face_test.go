package web_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"usher/brand"
	"usher/web"
)

func face(t *testing.T, files map[string]string) *brand.Brand {
	t.Helper()
	folder := fstest.MapFS{}
	for name, content := range files {
		folder[name] = &fstest.MapFile{Data: []byte(content)}
	}
	b, err := brand.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const svgLogo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><path d="M0 0h9"/></svg>`

// everything is a folder with all that it may have.
func everything() map[string]string {
	return map[string]string{
		"brand.json": `{"name": {"zh": "示例商城", "en": "Example & Sons"}, "colours": {"light": {"accent": "#7a1fa2"}},
			"links": {"help": "https://example.com/help"}, "icp": "京ICP备12345678号-1", "police": "京公网安备 11010802020134号"}`,
		"logo.svg": svgLogo, "logo-dark.svg": strings.Replace(svgLogo, "h9", "h8", 1),
		"texts.zh.json": `{"register.intro": "欢迎来到 {name}，<b>一分钟</b>就好。"}`,
	}
}

func TestRenderer_shows_the_face_of_the_team(t *testing.T) {
	t.Parallel()
	files := everything()
	r, err := web.New(face(t, files))
	if err != nil {
		t.Fatal(err)
	}
	for lang, wants := range map[string][]string{
		"zh": {
			"<title>注册账号 · 示例商城</title>", "欢迎来到示例商城，&lt;b&gt;一分钟&lt;/b&gt;就好。", `<img src="/static/logo.`, `width="96" height="32" alt="示例商城"`,
			`srcset="/static/logo-dark.`, `media="(prefers-color-scheme: dark)"`, "同意示例商城用这些", "示例商城的工作人员",
			`<a href="https://example.com/help" rel="noopener">帮助</a>`, `<a href="https://beian.miit.gov.cn/" rel="noopener">京ICP备12345678号-1</a>`,
			`code=11010802020134" rel="noopener">京公网安备 11010802020134号</a>`, `<link rel="icon" href="/static/icon.`,
		},
		"en": {"Example &amp; Sons</title>", "I agree that Example &amp; Sons may", ">Help</a>"},
	} {
		page := render(t, r, "register", web.Page{Lang: lang})
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %s", lang, want)
			}
		}
		if strings.Contains(page, "Usher") || strings.Contains(page, "apple-touch-icon") {
			t.Errorf("%s: the page has something of ours:\n%s", lang, page)
		}
	}
	for name, want := range map[string]string{"app.css": "--accent: #7a1fa2;", "logo.svg": "h9", "logo-dark.svg": "h8", "icon.svg": ">示<"} {
		content, err := fs.ReadFile(r.Static(), strings.TrimPrefix(r.AssetURL(name), "/static/"))
		if err != nil || !strings.Contains(string(content), want) {
			t.Errorf("%s: error %v, want %q in it", name, err, want)
		}
	}
	own := render(t, newRenderer(t), "register", web.Page{})
	if !strings.Contains(own, "· Usher</title>") || !strings.Contains(own, "同意 Usher 用这些") || !strings.Contains(own, "apple-touch-icon") || strings.Contains(own, "{name}") {
		t.Error("the page has not Usher's own face")
	}
	frame, _, err := r.Frame("en", web.Frame{})
	if err != nil || !strings.Contains(string(frame), "<title>Example &amp; Sons</title>") {
		t.Errorf("the page of a vendor's captcha: error %v: %s", err, frame)
	}
	without := everything()
	delete(without, "logo.svg")
	delete(without, "logo-dark.svg")
	if r, err = web.New(face(t, without)); err != nil {
		t.Fatal(err)
	}
	if page := render(t, r, "login", web.Page{}); !strings.Contains(page, `<span class="product">示例商城</span>`) {
		t.Error("without a logo the page lacks the name in its place")
	}
}

func TestNew_refuses_texts_that_do_not_fit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"register.titel": "x"}`:           `texts.zh.json: there is no text "register.titel"; did you mean "register.title"?`,
		`{"account.hello": "你好"}`:           `account.hello: want the placeholders ["%s"] in this order, got []`,
		`{"account.hello": "%d"}`:           `account.hello: want the placeholders ["%s"] in this order, got ["%d"]`,
		`{"account.hello": "%s 100%"}`:      `account.hello: has % beside a placeholder`,
		`{"js.later": "稍后"}`:                `js.later: want the placeholders ["{n}"]`,
		`{"register.title": " "}`:           `register.title: want one line of 1 to 600 characters`,
		`{"register.title": "a\u0000b"}`:    `register.title: want one line of`,
		`{"lang.other": "Deutsch"}`:         `lang.other: is the name of a language`,
		`{"register.title": "a", "x": "b"}`: `there is no text "x"`,
	} {
		if _, err := web.New(face(t, map[string]string{"brand.json": `{"name": "a"}`, "texts.zh.json": text})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %s", text, err, want)
		}
	}
}

// The contrasts of a team's colours are computed with the colours of the style sheet.
func TestThemes_have_the_colours_of_the_style_sheet(t *testing.T) {
	t.Parallel()
	sheet, err := os.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(sheet), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("the style sheet has no dark theme")
	}
	var own *brand.Brand
	for name, compared := range map[string]struct {
		css   string
		theme brand.Theme
	}{"light": {light, own.Light()}, "dark": {dark, own.Dark()}} {
		for variable, want := range map[string]brand.Colour{
			"accent": compared.theme.Accent, "accent-hover": compared.theme.AccentHover, "on-accent": compared.theme.OnAccent,
			"soft": compared.theme.Soft, "page": compared.theme.Page, "card": compared.theme.Card, "good": compared.theme.Good,
		} {
			value := regexp.MustCompile(`--` + variable + `: (#[0-9a-f]+);`).FindStringSubmatch(compared.css)
			if value == nil || strings.Replace(value[1], "#fff", "#ffffff", 1) != want.String() && value[1] != want.String() {
				t.Errorf("%s: --%s is %v, and package brand has %v", name, variable, value, want)
			}
		}
	}
}
