package api

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/limits"
	"usher/verify"
	"usher/web"
)

// Taking an account back to what it was before a change: by the link of a mail, or by a code that is sent to the
// number that the account had.

type undoBody struct {
	Token          string `json:"token"`
	Mobile         string `json:"mobile"`
	SMSCodeID      string `json:"sms_code_id"`
	SMSCode        string `json:"sms_code"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
}

type undoView struct {
	Account     accountView      `json:"account"`
	NotRestored []accounts.Field `json:"not_restored"`
}

func (s *Server) undoChange(c echo.Context) error {
	var body undoBody
	if err := decode(c, &body); err != nil {
		return err
	}
	undone, err := s.undo(c, body)
	if err != nil {
		return err
	}
	lost := undone.Lost
	if lost == nil {
		lost = []accounts.Field{}
	}
	return answer(c, http.StatusOK, undoView{viewOf(undone.Account), lost})
}

// undo ends every session of the account; the person signs in with the new password.
func (s *Server) undo(c echo.Context, body undoBody) (accounts.Undone, error) {
	r := accounts.Undo{
		Token: body.Token, SMSCodeID: body.SMSCodeID, SMSCode: body.SMSCode, Password: body.Password, PasswordRepeat: body.PasswordRepeat,
		Origin: originOf(c),
	}
	refused := accounts.FieldErrors{}
	if body.Token == "" {
		r.Mobile = parseCode(body.Mobile, body.SMSCodeID, body.SMSCode, refused)
	}
	parsePasswords(body.Password, body.PasswordRepeat, refused)
	if len(refused) > 0 {
		return accounts.Undone{}, refused
	}
	if body.Token != "" && s.Accounts.LinkAccount(body.Token) == "" { // made-up tokens leave nothing behind in Redis
		return accounts.Undone{}, accounts.ErrUndoLink
	}
	if err := s.spend(c, s.byAddress(c, limits.UndoIP)); err != nil {
		return accounts.Undone{}, err
	}
	return s.Accounts.UndoChange(c.Request().Context(), r)
}

// originOf is what the mails about a change say of its request.
func originOf(c echo.Context) accounts.Origin {
	_, network := limits.Network(clientAddr(c))
	return accounts.Origin{Language: languageOf(c), Network: network, RequestID: idOf(c)}
}

// undoPage changes nothing: mail scanners follow links, so the person has to send the form. Without a token it asks
// for the number that the account had.
func (s *Server) undoPage(c echo.Context) error {
	return s.form(c, "undo", web.Page{Token: linkToken(c)}, nil)
}

func (s *Server) undoForm(c echo.Context) error {
	var body undoBody
	typed, err := readForm(c, &body)
	if err != nil {
		return err
	}
	p := web.Page{Token: body.Token, Form: typed}
	switch typed["action"] {
	case "captcha":
	case "send_code":
		return s.sendCodeForm(c, "undo", p, verify.UndoChange)
	default:
		var undone accounts.Undone
		undone, err = s.undo(c, body)
		p.Done = err == nil
		p.Notice = lostContacts(undone.Lost, languageOf(c))
	}
	return s.form(c, "undo", p, err)
}

// lostContacts says which contacts were not restored; it is empty for none.
func lostContacts(lost []accounts.Field, lang string) string {
	if len(lost) == 0 {
		return ""
	}
	names := map[accounts.Field]wording{
		accounts.FieldMobile: {"手机号", "the mobile number"},
		accounts.FieldEmail:  {"邮箱", "the email address"},
	}
	var list []string
	for _, field := range lost {
		list = append(list, names[field].in(lang))
	}
	return wording{"以下内容已属于其他账号，未能恢复：", "Not restored, because another account has it by now: "}.in(lang) +
		strings.Join(list, wording{"、", ", "}.in(lang))
}
