package api

import (
	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/contact"
	"usher/limits"
	"usher/messages"
	"usher/verify"
)

type emailCodeBody struct {
	ID        string `json:"email_code_id"` // of the code that the new one replaces
	Email     string `json:"email"`
	CaptchaID string `json:"captcha_id"`
	Captcha   string `json:"captcha"`
	Purpose   string `json:"purpose"`
}

type emailCodeView struct {
	ID          string `json:"email_code_id"`
	ExpiresIn   int    `json:"expires_in"`
	ResendAfter int    `json:"resend_after"`
}

// issueEmailCode enqueues a mail with a code and a link that carries it.
func (s *Server) issueEmailCode(c echo.Context, body emailCodeBody) (emailCodeView, error) {
	wrong := mistakes{}
	email := wrong.email(body.Email)
	purpose := wrong.emailPurpose(body.Purpose)
	if err := wrong.err(); err != nil {
		return emailCodeView{}, s.withCaptcha(err, body.CaptchaID, body.Captcha)
	}
	issued, err := s.issue(c, verify.Request{To: email, Purpose: purpose, Replaces: body.ID}, body.CaptchaID, body.Captcha)
	if err != nil {
		return emailCodeView{}, err
	}
	s.Metrics.issuedMails.WithLabelValues(string(purpose)).Inc()
	followed(c)
	return emailCodeView{issued.ID, seconds(issued.ExpiresIn), seconds(issued.ResendAfter)}, nil
}

// emailProof is how a request proves an address: by the code of a mail, or by the token of the link in the same mail. Bodies embed
// it or fill it from their fields.
type emailProof struct {
	Email          string `json:"email"`
	EmailCodeID    string `json:"email_code_id"`
	EmailCode      string `json:"email_code"`
	EmailCodeToken string `json:"email_code_token"`
}

// typedCode is an address with a code for it as it was typed, and the id of the code that was sent.
type typedCode struct {
	to       contact.Email
	id, code string
}

// readProof returns the code of a request, and adds to wrong what is missing; the field of the code has the name. A token stands for
// address, id and code; a token that is no longer valid is an error of [verify.Service.ReadLink].
func (s *Server) readProof(proof emailProof, name accounts.Field, wrong mistakes) (typedCode, error) {
	if proof.EmailCodeToken != "" {
		link, err := s.Verify.ReadLink(proof.EmailCodeToken)
		if email, _ := contact.ParseEmail(proof.Email); err == nil && proof.Email != "" && email != link.To {
			err = verify.ErrExpired // as for the code of another address
		}
		return typedCode{link.To, link.ID, link.Code}, err
	}
	wrong.require(accounts.FieldEmailCodeID, proof.EmailCodeID)
	wrong.require(name, proof.EmailCode)
	return typedCode{wrong.email(proof.Email), proof.EmailCodeID, proof.EmailCode}, nil
}

type emailCodeCheckBody struct {
	ID      string `json:"email_code_id"`
	Email   string `json:"email"`
	Code    string `json:"code"`
	Token   string `json:"email_code_token"`
	Purpose string `json:"purpose"`
}

func (s *Server) checkEmailCode(c echo.Context, body emailCodeCheckBody) (codeCheckView, error) {
	wrong := mistakes{}
	purpose := wrong.emailPurpose(body.Purpose)
	typed, linkErr := s.readProof(emailProof{body.Email, body.ID, body.Code, body.Token}, fieldCode, wrong)
	if err := wrong.err(); err != nil {
		return codeCheckView{}, err
	}
	if err := s.spend(c, s.byAddress(c, limits.CheckIP)); err != nil {
		return codeCheckView{}, err
	}
	if linkErr != nil {
		return codeCheckView{}, linkErr
	}
	result, err := s.Verify.Check(c.Request().Context(), typed.to, purpose, typed.id, typed.code)
	return codeCheckView{result.Valid, result.AttemptsLeft}, err
}

// emailPurpose parses the purpose of a code by mail.
func (m mistakes) emailPurpose(text string) verify.Purpose {
	if !verify.Purpose(text).ValidFor(messages.Email) {
		m[fieldPurpose] = notByMail
		m.require(fieldPurpose, text)
	}
	return verify.Purpose(text)
}
