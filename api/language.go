package api

import (
	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"
)

// The languages of answers, the default first.
const (
	chinese = "zh"
	english = "en"
)

// maxAcceptLanguage is longer than any browser's header and short enough to parse in every request.
const maxAcceptLanguage = 256

// languageCookie keeps the choice of the switch on the pages.
const languageCookie = "usher-lang"

// languageOf returns the language of the answer: that of the page's switch, else the earlier choice, else Accept-Language,
// else Chinese.
func languageOf(c echo.Context) string {
	if c.Request().URL.RawQuery != "" { // parse a query only where there is one
		if lang := c.QueryParam("lang"); lang == chinese || lang == english {
			return lang
		}
	}
	// Programs choose in each request; only pages remember a choice.
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
		// Any confidence below Exact is a guess, such as English for "*".
		base, confidence := tag.Base()
		if lang := base.String(); confidence == language.Exact && (lang == chinese || lang == english) {
			return lang
		}
	}
	return chinese
}
