package api

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/contact"
	"usher/input"
	"usher/verify"
	"usher/web"
)

// The forms of the pages for people without JavaScript. The buttons are named action. Each does what the endpoint for
// programs does and shows the page again, or the next one.

// resent is the answer to every request for another activation mail.
var resent = wording{"如果这个邮箱正在等待激活，我们已重新发送激活邮件。", "If this address is waiting for activation, we have sent it a new email."}

// showForm shows a page before anything was typed. It changes nothing: mail scanners follow links, so the person has to
// press the button.
func (s *Server) showForm(name string) echo.HandlerFunc {
	return func(c echo.Context) error {
		return s.form(c, name, web.Page{Mode: c.QueryParam("mode"), Token: linkToken(c)}, nil)
	}
}

// linkToken is the token in the URL of a page that a mail links to.
func linkToken(c echo.Context) string {
	token := c.QueryParam("token")
	if badText(token) != "" {
		return ""
	}
	return trimmed(fieldToken, token)
}

// handleForm handles the buttons of a page. do handles the main one: it returns the error to show, or nil when it is done,
// and may change the page or redirect. Codes are sent for the purpose.
func handleForm[B any](
	s *Server, name string, purpose verify.Purpose, do func(c echo.Context, body B, p *web.Page) error,
) echo.HandlerFunc {
	return func(c echo.Context) error {
		typed, err := readForm(c)
		if err != nil {
			return err
		}
		p := web.Page{Mode: typed["mode"], Token: typed["token"], Form: typed}
		// Once asked, the captcha stays on the form until the password is right.
		p.PasswordCaptcha = name == "login" && typed["captcha_id"] != ""
		switch typed["action"] {
		case "captcha": // show the page with another one
		case "switch":
			s.switchForm(name, &p, c.QueryParam("mode"))
		case "captcha_audio":
			err = s.speakCaptcha(c, &p)
		case "forget_name":
			s.forgetName(c)
			return c.Redirect(http.StatusSeeOther, web.Page{Next: s.next(c, typed)}.To("/login"))
		case "send_code":
			err = s.sendCodeForm(c, name, &p, purpose)
		case "second_way":
			err = s.sendAgainForm(c, &p)
		case "resend":
			p.Token = "" // the person opens the link of the new mail next
			if _, err = s.resend(c, resendBody{Email: typed["email"]}); err == nil {
				p.Notice = resent.in(languageOf(c))
			}
		default:
			var body B
			fill(&body, s.entered(name, typed))
			err = do(c, body, &p)
			p.Done = err == nil
		}
		if c.Response().Committed {
			return nil
		}
		return s.form(c, name, p, err)
	}
}

// pageTab names the fields of a tab that the other one has not.
type pageTab struct {
	contact string // a number, an address or a name
	codeID  string // of the code that was sent there; empty: the tab takes none
}

// tabsOf returns the tabs of a page by their modes.
func (s *Server) tabsOf(page string) map[string]pageTab {
	number, address := pageTab{"mobile", "sms_code_id"}, pageTab{"email", "email_code_id"}
	switch {
	case page == "register":
		return map[string]pageTab{"mobile": number, "email": address}
	case page == "login" && s.Config.Registration == accounts.EmailOnly:
		return map[string]pageTab{"code": address, "password": {contact: "login"}}
	case page == "login":
		return map[string]pageTab{"code": number, "password": {contact: "login"}}
	}
	return nil
}

// switchForm shows the form of another tab, or of another language, with what was typed. The contact of the tab that is left travels in
// a field of its own, and so does the id of its code: under their names they would be a part of the request.
func (s *Server) switchForm(page string, p *web.Page, mode string) {
	tabs := s.tabsOf(page)
	from, known := tabs[p.Mode]
	to, alsoKnown := tabs[mode]
	if known && alsoKnown && mode != p.Mode {
		p.PasswordCaptcha = false // the captcha was that of the code
		p.Form[to.contact], p.Form["kept"] = cmp.Or(p.Form[to.contact], p.Form["kept"]), p.Form[from.contact]
		keptID := p.Form[from.codeID]
		p.Form[to.codeID], p.Form["kept_id"] = p.Form["kept_id"], keptID
	}
	p.Mode = mode
}

func (s *Server) registerForm(c echo.Context, body registrationBody, p *web.Page) error {
	account, err := s.signUp(c, body)
	switch {
	case err == nil && account.Active:
		return s.landAfterSignUp(c, account, p.Form)
	case err == nil:
		s.keepNext(c, s.next(c, p.Form))
		return c.Redirect(http.StatusSeeOther, "/check-mail")
	case errors.Is(err, errRegistered): // the button was pressed twice: the person sees only this answer, perhaps without the cookie
		return s.checkMailPage(c, web.Page{Form: map[string]string{"email": body.Email}}, nil)
	}
	return err
}

func (s *Server) loginForm(c echo.Context, body signInBody, p *web.Page) error {
	account, created, err := s.openSession(c, body, p.Mode == "code")
	if err != nil {
		return err
	}
	if created {
		s.sayNext(c, "said_created")
	}
	return s.landSignedIn(c, account, p.Form)
}

func (s *Server) forgotForm(c echo.Context, body resetBody, _ *web.Page) error {
	_, err := s.resetPassword(c, body)
	return err
}

func (s *Server) activateForm(c echo.Context, body activationBody, p *web.Page) error {
	if body.Token == "" {
		return accounts.ErrLinkInvalid
	}
	_, err := s.activate(c, body)
	p.Mode = activationMode(err)
	if body.Password == "" && body.PasswordRepeat == "" && p.Mode != "" {
		return s.page(c, describe(err, languageOf(c)).status, "activate", *p) // the first question for a password: not a mistake
	}
	return err
}

// activationMode names what the page must show after a refusal: the fields for the new password of an account that waits,
// the current password of another account, or the way to sign in to an account without a password.
func activationMode(err error) string {
	fields, _ := errors.AsType[accounts.FieldErrors](err)
	_, wrong := errors.AsType[*accounts.PasswordError](err)
	switch {
	case fields[accounts.FieldPassword] != "" || fields[accounts.FieldPasswordRepeat] != "":
		return "choose"
	case wrong || errors.Is(err, accounts.ErrLinkAlone):
		return "confirm"
	case errors.Is(err, accounts.ErrSignInAgain):
		return "sign_in"
	}
	return ""
}

func (s *Server) undoForm(c echo.Context, body undoBody, p *web.Page) error {
	undone, err := s.undo(c, body)
	p.Notice = lostContacts(undone.Lost, languageOf(c))
	return err
}

// lostContacts says which contacts were not restored; it is empty for none.
func lostContacts(lost []accounts.Field, lang string) string {
	if len(lost) == 0 {
		return ""
	}
	names := map[accounts.Field]wording{
		accounts.FieldMobile: {"手机号", "mobile number"},
		accounts.FieldEmail:  {"邮箱", "email address"},
	}
	var list []string
	for _, field := range lost {
		list = append(list, names[field].in(lang))
	}
	return wording{"以下信息现已属于其他账号，未能恢复：", "Not restored, because another account uses it now: "}.in(lang) +
		strings.Join(list, wording{"、", ", "}.in(lang))
}

func (s *Server) declineForm(c echo.Context, body declineBody, _ *web.Page) error {
	if body.Token == "" {
		return accounts.ErrLinkInvalid
	}
	_, err := s.decline(c, body)
	return err
}

func (s *Server) logoutForm(c echo.Context) error {
	if _, err := s.signOut(c); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/login")
}

// sendCodeForm sends a code and stores its id in the page: the digits that are typed next are compared with that code.
func (s *Server) sendCodeForm(c echo.Context, name string, p *web.Page, purpose verify.Purpose) error {
	entered := s.entered(name, p.Form)
	if _, byMail := entered["email_code_id"]; byMail {
		return s.mailCodeForm(c, p, entered, purpose)
	}
	var body codeBody
	fill(&body, entered)
	body.Purpose = string(purpose)
	view, err := s.issueCode(c, body)
	if p.CodeSent = err == nil; p.CodeSent {
		p.ResendAfter, p.Form["sms_code_id"] = view.ResendAfter, view.ID
	}
	return err
}

// sendAgainForm has the code of the page sent by another way.
func (s *Server) sendAgainForm(c echo.Context, p *web.Page) error {
	view, err := s.sendAgain(c, p.Form["sms_code_id"], viaSMS)
	if p.CodeSent = err == nil; p.CodeSent {
		p.ResendAfter = view.ResendAfter
	}
	return err
}

// mailCodeForm is sendCodeForm for a form whose code goes to an address.
func (s *Server) mailCodeForm(c echo.Context, p *web.Page, entered map[string]string, purpose verify.Purpose) error {
	var body emailCodeBody
	fill(&body, entered)
	body.Purpose = string(purpose)
	view, err := s.issueEmailCode(c, body)
	if err != nil {
		return err
	}
	field := "email_code_id"
	if _, either := p.Form["sms_code_id"]; either {
		field = "sms_code_id"
	}
	p.CodeSent, p.CodeMailed, p.ResendAfter, p.Form[field] = true, true, view.ResendAfter, view.ID
	return nil
}

// mailFields are the fields for an address, by those of a form whose one field takes either contact.
var mailFields = map[string]string{"mobile": "email", "sms_code_id": "email_code_id", "sms_code": "email_code"}

// takesEither reports whether the form of a page has one field for a number or an address, with the name of that for numbers.
func takesEither(page string) bool { return page == "login" || page == "forgot" }

// entered returns the fields of a page's form under the names that the endpoints have for them: an address that was typed where
// either contact is taken, or a number with its country code.
func (s *Server) entered(page string, typed map[string]string) map[string]string {
	if !takesEither(page) || !strings.ContainsAny(typed["mobile"], "@＠") {
		return s.withCallingCode(typed)
	}
	entered := maps.Clone(typed)
	for field, mailField := range mailFields {
		entered[mailField] = typed[field]
		delete(entered, field)
	}
	return entered
}

// withCallingCode returns the fields of a form with the chosen country code in front of a number that has none. Numbers of the first
// region stay as they were typed.
func (s *Server) withCallingCode(typed map[string]string) map[string]string {
	regions := s.Config.Regions.Codes()
	chosen := slices.IndexFunc(regions, func(region string) bool {
		return typed["calling_code"] == "+"+strconv.Itoa(contact.CallingCode(region))
	})
	digits, international, ok := input.Number(typed["mobile"])
	if chosen < 1 || !ok || international {
		return typed
	}
	entered := maps.Clone(typed)
	entered["mobile"] = typed["calling_code"] + digits
	return entered
}

// readForm returns the fields of a plain form, see [decode] for what it refuses.
func readForm(c echo.Context) (map[string]string, error) {
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
	return form, nil
}

// fill sets the fields of dst from those of a form, see [fieldsOf].
func fill(dst any, form map[string]string) {
	for name, field := range fieldsOf(dst) {
		switch field := field.(type) {
		case *string:
			*field = form[name]
		case *bool:
			*field = form[name] != "" && form[name] != "false"
		}
	}
}
