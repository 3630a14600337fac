package api

import (
	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha/challenge"
	"usher/contact"
	"usher/limits"
	"usher/verify"
)

// The ways by which a code is sent again.
const (
	viaSMS   = "sms"
	viaEmail = "email"
)

type resendCodeBody struct {
	Via string `json:"via"`
}

// wayView is a way by which a code can be sent again.
type wayView struct {
	Via   string `json:"via"`
	After int    `json:"after"` // seconds from now
}

// waysOf lists the ways by which a code can be sent again.
func waysOf(status verify.Status) []wayView {
	if !status.Resendable {
		return []wayView{}
	}
	return []wayView{{viaSMS, seconds(status.ResendAfter)}}
}

// resendCode sends the message of a code again for the person who waits for it. Only its requester knows the id, and the code was paid
// for with a captcha, so none is asked; the limits are those of a new code. A code for a number never goes by mail: the reader of the
// mail would have proved the number.
func (s *Server) resendCode(c echo.Context, body resendCodeBody) (codeView, error) {
	return s.sendAgain(c, c.Param("id"), body.Via)
}

func (s *Server) sendAgain(c echo.Context, id, via string) (codeView, error) {
	wrong := mistakes{}
	switch via {
	case viaSMS:
	case viaEmail:
		wrong[fieldVia] = accounts.NotAllowed
	default:
		wrong.malformed(fieldVia, via)
	}
	if err := wrong.err(); err != nil {
		return codeView{}, err
	}
	code, err := s.Verify.Resendable(c.Request().Context(), id)
	if err != nil {
		return codeView{}, err
	}
	if code.Purpose == verify.ChangeMobile { // only a signed-in person can use it
		if _, err := s.current(c); err != nil {
			return codeView{}, err
		}
	}
	spends, decision, err := s.admitResend(c, code.Mobile)
	if err != nil {
		return codeView{}, err
	}
	issued, err := s.inShare(c, code.Mobile, code.Standing, false, func(standing verify.Standing) (verify.Issued, error) {
		return s.Verify.Resend(c.Request().Context(), code, standing, idOf(c), languageOf(c))
	})
	if err != nil {
		s.refund(c, spends) // nothing is sent
		return codeView{}, err
	}
	s.Metrics.resent.WithLabelValues(string(code.Purpose)).Inc()
	setRateLimit(c, decision)
	return codeView{issued.ID, seconds(issued.ExpiresIn), seconds(issued.ResendAfter)}, nil
}

// admitResend is admitSend for a code that is sent again, which needs no captcha: it counts as paid with one of the normal price, so
// that where captchas are dearer a person asks for a new code.
func (s *Server) admitResend(c echo.Context, mobile contact.Mobile) ([]limits.Spend, limits.Decision, error) {
	spends := s.sendSpends(c, mobile)
	_, decision, err := s.Gate.Admit(c.Request().Context(), "", spends)
	switch {
	case err != nil:
		return spends, decision, err
	case decision.Allowed():
		admitted := admission{decision: decision}
		if s.Captcha.Enabled() {
			admitted.price = challenge.Normal
		}
		return spends, decision, s.checkPrice(c, mobile, admitted, spends)
	case !shared(decision.Refused):
		return spends, decision, refusal(decision)
	}
	return s.admitOwner(c, mobile, spends, decision)
}
