package api

import (
	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"
)

// The languages people are answered in, the default first.
const (
	chinese = "zh"
	english = "en"
)

// maxAcceptLanguage is longer than any browser's header and short enough to parse for everybody.
const maxAcceptLanguage = 256

// languageCookie keeps the choice made by the switch on the pages, for people without a script.
const languageCookie = "usher-lang"

// languageOf returns the language to answer in: what the page's switch says, then what was chosen
// before, then Accept-Language, then Chinese.
func languageOf(c echo.Context) string {
	if c.Request().URL.RawQuery != "" { // nothing is parsed where there is nothing
		if lang := c.QueryParam("lang"); lang == chinese || lang == english {
			return lang
		}
	}
	// Programs say what they want in each request; only pages remember.
	if !isAPI(c) {
		if cookie, err := c.Cookie(languageCookie); err == nil && (cookie.Value == chinese || cookie.Value == english) {
			return cookie.Value
		}
	}
	return accepted(c.Request().Header.Get("Accept-Language"))
}

// accepted chooses by the header's weights. Any Chinese is Chinese, any English is English.
func accepted(header string) string {
	if header == "" || len(header) > maxAcceptLanguage {
		return chinese
	}
	tags, weights, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return chinese
	}
	for i, tag := range tags { // sorted by weight
		if weights[i] == 0 {
			break
		}
		// Less than exact is a guess, such as English for "*".
		base, confidence := tag.Base()
		if lang := base.String(); confidence == language.Exact && (lang == chinese || lang == english) {
			return lang
		}
	}
	return chinese
}
