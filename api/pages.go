package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha/challenge"
	"usher/contact"
	"usher/verify"
	"usher/web"
)

// cached is for files whose names change with their content.
const cached = "public, max-age=31536000, immutable"

func home(c echo.Context) error { return c.Redirect(http.StatusSeeOther, "/register") }

// form shows a page with a form, with the mistakes after a refusal, and with a new captcha where it needs one: the old one
// may be spent.
func (s *Server) form(c echo.Context, name string, p web.Page, refused error) error {
	status := http.StatusOK
	if refused != nil {
		r := describe(refused, languageOf(c))
		s.logError(c, r.status, refused)
		setRetryAfter(c, r)
		status, p.Fields = r.status, r.onForm(takesEither(name))
		if len(p.Fields) == 0 {
			p.Error = r.sentence
		}
		p.SecondProof, p.Waiting = r.errno == "4210", r.waiting
		p.PasswordCaptcha = p.PasswordCaptcha || p.Fields["captcha"] != ""
		p.CaptchaPrice = string(r.price)
	}
	p.CaptchaPrice = cmp.Or(p.CaptchaPrice, p.Form["captcha_price"]) // once asked, it stays
	if name == "login" && p.Mode != "password" && s.Accounts.Policy.SignInCreates {
		p.Mode = "code" // the first tab
	}
	if p.PasswordCaptcha || asksForCode(name, p) {
		s.attachCaptcha(c, &p)
	}
	return s.page(c, status, name, p)
}

// asksForCode reports whether a form of the page asks for a code or a mail, which costs a captcha.
func asksForCode(name string, p web.Page) bool {
	switch name {
	case "register", "forgot":
		return true
	case "undo":
		return p.Token == "" || p.Mode == "code"
	case "check-mail":
		return p.Address != "" && p.Mode == "correct"
	case "account":
		return p.Mode == "mobile" || p.Mode == "email"
	}
	return p.Mode == "code"
}

// onForm returns the sentences of a refusal by the field of the page that shows them. A page has the field of one kind of code.
func (r reply) onForm(either bool) map[string]string {
	switch {
	case len(r.fields) > 0:
		fields := maps.Clone(r.fields)
		for _, field := range []string{"sms_code", "email_code"} {
			if hidden := fields[field+"_id"]; hidden != "" { // no code was sent
				fields[field] = hidden
			}
		}
		if either {
			for field, mailField := range mailFields {
				fields[field] = cmp.Or(fields[mailField], fields[field])
			}
		}
		return fields
	case r.errno == "4201" || r.errno == "4202":
		return map[string]string{"captcha": r.sentence}
	case r.errno == "4203" || r.errno == "4204" || r.errno == "4205":
		return map[string]string{"sms_code": r.sentence, "email_code": r.sentence}
	}
	return nil
}

// attachCaptcha puts a challenge into the page for people without JavaScript. When it fails, the script of the page asks
// for one again.
func (s *Server) attachCaptcha(c echo.Context, p *web.Page) {
	if !s.Captcha.Enabled() || c.Request().Method == http.MethodHead {
		return
	}
	price := challenge.Price(p.CaptchaPrice)
	if !price.Valid() {
		price = challenge.Normal
	}
	medium := challenge.Image
	if p.Spoken {
		medium = challenge.Audio
	}
	view, err := s.newCaptcha(c, medium, price, false)
	if err != nil {
		s.logError(c, describe(err, chinese).status, err)
		return
	}
	p.CaptchaID, p.CaptchaImage, p.CaptchaAudio = view.ID, view.Image, view.Audio
}

// speakCaptcha has the page show a recording in place of the picture of its form, which that spends.
func (s *Server) speakCaptcha(c echo.Context, p *web.Page) error {
	err := s.replacePicture(c, p.Form["captcha_id"])
	p.Spoken = err == nil
	return err
}

// page renders a page in the reader's language and remembers the choice of one.
func (s *Server) page(c echo.Context, status int, name string, p web.Page) error {
	p.Lang, p.Next = languageOf(c), s.next(c, p.Form)
	s.keepNext(c, p.Next)
	p.Registration, p.CodeLength = string(s.Config.Registration), s.Verify.Policy.CodeLength
	p.MailCodeLength = cmp.Or(s.Verify.Policy.EmailCodeLength, p.CodeLength)
	p.SignInCreates, p.TermsURL, p.PrivacyURL = s.Accounts.Policy.SignInCreates, s.Config.TermsURL, s.Config.PrivacyURL
	p.Asked, p.Home = web.Asked(s.Accounts.Policy.Asked), s.home()
	p.CodeLetters = s.Verify.Policy.HasLetters()
	for _, code := range s.Config.Regions.Codes() {
		p.Regions = append(p.Regions, web.Region{Code: code, Calling: contact.CallingCode(code)})
	}
	p.CaptchaRequired, p.CaptchaKind = s.Captcha.Enabled(), string(s.Captcha.Kind())
	if s.Hosted != nil {
		p.CaptchaFrame = framePath
	}
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
	if name == "activate" || name == "decline" || name == "undo" || name == "code" {
		// The URL of these pages contains the token, and no request may pass it on. "no-referrer" would make browsers send
		// the form with "Origin: null", and behind a proxy that removes Sec-Fetch-Site only the Origin shows its source.
		c.Response().Header().Set("Referrer-Policy", "strict-origin")
	}
	return c.HTMLBlob(status, out.Bytes())
}

func (s *Server) renderErrorPage(c echo.Context, r reply) {
	p := web.Page{Status: r.status, Error: r.sentence}
	if r.status == http.StatusNotFound {
		p.Error = "" // the page has a text of its own
	}
	if err := s.page(c, r.status, "error", p); err != nil {
		s.logError(c, http.StatusInternalServerError, err)
		_ = c.String(r.status, r.sentence)
	}
}

// static serves the files of the pages. Every name contains the hash of its content.
func (s *Server) static() echo.HandlerFunc {
	documents := map[string]document{}
	for name, content := range s.Web.Files() {
		documents[name] = newDocument(kindOf(name), content)
	}
	return func(c echo.Context) error {
		d, found := documents[c.Param("file")]
		if !found {
			return echo.ErrNotFound
		}
		c.Response().Header().Set(echo.HeaderCacheControl, cached)
		if d.kind == "image/svg+xml" { // opened by its address it is a document of our origin
			c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
		}
		return d.serve(c)
	}
}

// The contract, and a page about it that a test generates.
var (
	//go:embed openapi.yaml
	openAPIText []byte
	//go:embed docs.html
	docsPage []byte

	openAPIDocument = sync.OnceValue(func() document { return newDocument("application/yaml", openAPIText) })
	docsDocument    = sync.OnceValue(func() document { return newDocument(echo.MIMETextHTMLCharsetUTF8, docsPage) })
)

// asked is for what changes with a release: browsers keep it and ask whether it is current.
const asked = "public, no-cache"

func openAPI(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, asked)
	return openAPIDocument().serve(c)
}

// docs allows the page its one style sheet and nothing else: no script, nothing from another origin.
func docs(c echo.Context) error {
	_, style, _ := bytes.Cut(docsPage, []byte("<style>"))
	style, _, _ = bytes.Cut(style, []byte("</style>"))
	sum := sha256.Sum256(style)
	h := c.Response().Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+
		base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; frame-ancestors 'none'")
	h.Set(echo.HeaderCacheControl, asked)
	return docsDocument().serve(c)
}

// accountPage also shows the form that the query asks for: username, password, email or mobile.
func (s *Server) accountPage(c echo.Context) error {
	account, err := s.current(c)
	if err != nil {
		return s.strangerPage(c, err)
	}
	return s.showAccount(c, account, web.Page{Mode: c.QueryParam("mode"), Said: s.said(c)}, nil)
}

// accountForm does what a button on the page asks for. After success the browser loads the page again, which says what was done: to load
// it once more sends nothing.
func (s *Server) accountForm(c echo.Context) error {
	typed, err := readForm(c)
	if err != nil {
		return err
	}
	account, err := s.current(c)
	if err != nil {
		return s.strangerPage(c, err)
	}
	p := web.Page{Mode: typed["mode"], Form: typed}
	err = s.accountAction(c, account, &p)
	switch {
	case c.Response().Committed:
		return nil
	case err == nil && p.Said != "":
		s.sayNext(c, p.Said)
		return c.Redirect(http.StatusSeeOther, ownPage)
	}
	return s.showAccount(c, account, p, err)
}

// accountAction does what a button asks for. After a change the page says what was done.
func (s *Server) accountAction(c echo.Context, account accounts.Account, p *web.Page) error {
	form, action := p.Form, p.Form["action"]
	if s.consentDue(c.Request().Context(), account) && !slices.Contains(consentActions, action) {
		return errConsent
	}
	switch action {
	case "export":
		return s.exportForm(c, form)
	case "delete":
		return s.deletionForm(c, form)
	case "send_code":
		purpose := verify.ChangeMobile
		if p.Mode == "email" {
			purpose = verify.ChangeEmail
		}
		return s.sendCodeForm(c, "account", p, purpose)
	case "captcha_audio":
		return s.speakCaptcha(c, p)
	case "resend":
		err := s.resendOwn(c, account)
		if err == nil {
			*p = web.Page{Said: "resent_own"}
		} else if _, bounced := errors.AsType[accounts.FieldErrors](err); bounced {
			p.Mode = "email" // the form for another address says what is wrong with this one
		}
		return err
	}
	said, err := s.changeOwn(c, action, form)
	if err == nil && said != "" {
		*p = web.Page{Said: "said_" + said}
	}
	return err
}

// changeOwn makes a change and returns its name in the texts; "" when there is no change of this name.
func (s *Server) changeOwn(c echo.Context, action string, form map[string]string) (said string, err error) {
	switch action {
	case "agree":
		err = s.agreeForm(c, form)
	case "withdraw_terms":
		_, err = s.withdraw(c, accounts.Terms)
	case "withdraw_privacy":
		_, err = s.withdraw(c, accounts.Privacy)
	case "username":
		_, err = fromForm(c, form, s.setUsername)
	case "password":
		_, err = fromForm(c, form, s.changePassword)
	case "email":
		var changed accounts.Account
		if changed, err = fromForm(c, form, s.changeEmail); err == nil && changed.PendingEmail.IsZero() {
			return "email_proved", nil // by the code
		}
	case "mobile":
		_, err = fromForm(c, s.withCallingCode(form), s.changeMobile)
	case "end_session":
		err = s.endOne(c, form["session"])
	case "end_others":
		_, err = s.endOtherSessions(c)
	default:
		return "", nil
	}
	return action, err
}

// fromForm calls the work of an endpoint with a body from the fields of a form.
func fromForm[B, R any](c echo.Context, form map[string]string, do func(echo.Context, B) (R, error)) (R, error) {
	var body B
	fill(&body, form)
	return do(c, body)
}

// strangerPage tells a person who is not signed in where to sign in.
func (s *Server) strangerPage(c echo.Context, err error) error {
	if errors.Is(err, errNotSignedIn) {
		return s.page(c, http.StatusUnauthorized, "account", web.Page{Form: map[string]string{"next": backToForm(c)}})
	}
	return err
}

func (s *Server) showAccount(c echo.Context, account accounts.Account, p web.Page, refused error) error {
	var err error
	if p.Sessions, err = s.sessionsOf(c.Request().Context(), account); err != nil {
		return err
	}
	p.Account = newPageAccount(account)
	p.AgreedTerms, p.AgreedPrivacy = !account.AgreedAt.IsZero() && account.AgreedTerms != "", account.AgreedPrivacy != ""
	if s.consentDue(c.Request().Context(), account) {
		for _, due := range s.due(account) {
			p.ConsentDue = append(p.ConsentDue, web.Document{Name: string(due.Document), Version: due.Version, URL: due.URL})
		}
	}
	return s.form(c, "account", p, refused)
}

func newPageAccount(a accounts.Account) *web.Account {
	return &web.Account{
		Username: a.Username, Active: a.Active, HasPassword: a.HasPassword(), Superuser: a.Superuser,
		Mobile: a.Mobile.String(), PendingMobile: a.PendingMobile.String(), Email: a.Email.String(), PendingEmail: a.PendingEmail.String(),
	}
}
