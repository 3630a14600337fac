package api

import (
	"bytes"
	"cmp"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha"
	"usher/web"
)

// cached is for files whose name changes with their content.
const cached = "public, max-age=31536000, immutable"

func home(c echo.Context) error { return c.Redirect(http.StatusSeeOther, "/register") }

func (s *Server) registerPage(c echo.Context) error {
	return s.form(c, "register", web.Page{Mode: c.QueryParam("mode")}, nil)
}

func (s *Server) loginPage(c echo.Context) error {
	return s.form(c, "login", web.Page{Mode: c.QueryParam("mode")}, nil)
}

func (s *Server) forgotPage(c echo.Context) error {
	return s.form(c, "forgot", web.Page{}, nil)
}

// activatePage changes nothing: mail scanners follow links, so the person has to press the button.
func (s *Server) activatePage(c echo.Context) error {
	return s.form(c, "activate", web.Page{Token: linkToken(c)}, nil)
}

// declinePage changes nothing either.
func (s *Server) declinePage(c echo.Context) error {
	return s.form(c, "decline", web.Page{Token: linkToken(c)}, nil)
}

// linkToken is the token in the address of a page that a mail links to.
func linkToken(c echo.Context) string {
	token := c.QueryParam("token")
	if badText(token) != "" {
		return ""
	}
	return trimmed(fieldToken, token)
}

// form shows a page with a form, after a refusal with what was wrong, and with a fresh captcha where
// it asks one: the old one may be spent.
func (s *Server) form(c echo.Context, name string, p web.Page, refused error) error {
	status := http.StatusOK
	if refused != nil {
		r := describe(refused, languageOf(c))
		s.logError(c, r.status, refused)
		setRetryAfter(c, r)
		status, p.Fields = r.status, r.onForm()
		if len(p.Fields) == 0 {
			p.Error = r.sentence
		}
		p.SecondProof = r.errno == "4210"
		p.PasswordCaptcha = p.PasswordCaptcha || p.Fields["captcha"] != ""
		p.CaptchaPrice = string(r.price)
	}
	p.CaptchaPrice = cmp.Or(p.CaptchaPrice, p.Form["captcha_price"]) // once asked, it stays
	if name == "register" || name == "forgot" || name == "undo" && p.Token == "" || p.Mode == "code" || p.PasswordCaptcha ||
		name == "account" && p.Mode == "mobile" {
		s.attachCaptcha(c, &p)
	}
	return s.page(c, status, name, p)
}

// onForm puts a refusal beside the field that it is about.
func (r reply) onForm() map[string]string {
	switch {
	case r.fields["sms_code_id"] != "": // hidden on the form: no code has been asked for
		fields := maps.Clone(r.fields)
		fields["sms_code"] = fields["sms_code_id"]
		return fields
	case len(r.fields) > 0:
		return r.fields
	case r.errno == "4201" || r.errno == "4202":
		return map[string]string{"captcha": r.sentence}
	case r.errno == "4203" || r.errno == "4204" || r.errno == "4205":
		return map[string]string{"sms_code": r.sentence}
	}
	return nil
}

// attachCaptcha puts a challenge into the page, so that a person without a script sees one. Without
// it the page is still good for everybody else, whose script asks again.
func (s *Server) attachCaptcha(c echo.Context, p *web.Page) {
	if !s.Captcha.Enabled() || c.Request().Method == http.MethodHead {
		return
	}
	price := captcha.Price(p.CaptchaPrice)
	if !price.Valid() {
		price = captcha.Normal
	}
	view, err := s.newCaptcha(c, captcha.Image, price, false)
	if err != nil {
		s.logError(c, describe(err, chinese).status, err)
		return
	}
	p.CaptchaID, p.CaptchaImage = view.ID, view.Image
}

// page renders a page in the reader's language and remembers the choice of one.
func (s *Server) page(c echo.Context, status int, name string, p web.Page) error {
	p.Lang = languageOf(c)
	p.Registration, p.CodeLength = string(s.Config.Registration), s.Verify.Policy.CodeLength
	p.CaptchaRequired, p.CaptchaKind = s.Captcha.Enabled(), string(s.Captcha.Kind())
	var out bytes.Buffer
	if err := s.Web.Render(&out, name, p); err != nil {
		return err
	}
	if c.QueryParam("lang") == p.Lang {
		c.SetCookie(&http.Cookie{ //nolint:gosec // Secure wherever the pages are on https
			Name: languageCookie, Value: p.Lang, Path: "/", MaxAge: 365 * 24 * 60 * 60,
			Secure: isHTTPS(s.Config.PublicURL), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	if name == "activate" || name == "decline" || name == "undo" {
		// The address of these pages carries the token, and no request may pass it on. Under "no-referrer" browsers would
		// send a form with "Origin: null" too, and where a proxy takes Sec-Fetch-Site away nothing else tells whose it is.
		c.Response().Header().Set("Referrer-Policy", "strict-origin")
	}
	return c.HTMLBlob(status, out.Bytes())
}

func (s *Server) renderErrorPage(c echo.Context, r reply) {
	p := web.Page{Status: r.status, Error: r.sentence}
	if r.status == http.StatusNotFound {
		p.Error = "" // the page has its own words
	}
	if err := s.page(c, r.status, "error", p); err != nil {
		s.logError(c, http.StatusInternalServerError, err)
		_ = c.String(r.status, r.sentence)
	}
}

// static serves what the pages load. Only names that carry the hash of their content exist.
func (s *Server) static() echo.HandlerFunc {
	files := web.Static()
	return func(c echo.Context) error {
		name := c.Param("file")
		if _, err := fs.Stat(files, name); err != nil {
			return echo.ErrNotFound
		}
		c.Response().Header().Set(echo.HeaderCacheControl, cached)
		http.ServeFileFS(c.Response(), c.Request(), files, name)
		return nil
	}
}

// readForm reads what a plain form sent into dst, see [decode], and returns it as typed.
func readForm(c echo.Context, dst any) (map[string]string, error) {
	if !strings.HasPrefix(c.Request().Header.Get(echo.HeaderContentType), echo.MIMEApplicationForm) {
		return nil, errMediaType
	}
	body, err := readBody(c)
	if err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errMalformed
	}
	form := make(map[string]string, len(values))
	for name := range values {
		text := values.Get(name)
		if badText(name) != "" || badText(text) != "" {
			return nil, errMalformed
		}
		form[name] = trimmed(accounts.Field(name), text)
	}
	for name, field := range fieldsOf(dst) {
		switch field := field.(type) {
		case *string:
			*field = form[name]
		case *bool:
			*field = form[name] != "" && form[name] != "false"
		}
	}
	return form, nil
}
