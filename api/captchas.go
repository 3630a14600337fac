package api

import (
	"encoding/base64"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha"
	"usher/limits"
)

type captchaBody struct {
	Kind string `json:"kind"`
}

// captchaView has either an image or a recording, as a data URI.
type captchaView struct {
	ID        string `json:"captcha_id"`
	Image     string `json:"image,omitempty"`
	Audio     string `json:"audio,omitempty"`
	ExpiresIn int    `json:"expires_in"`
}

func (s *Server) createCaptcha(c echo.Context) error {
	var body captchaBody
	if c.Request().ContentLength != 0 { // everything in the body has a default
		if err := decode(c, &body); err != nil {
			return err
		}
	}
	medium := captcha.Medium(body.Kind)
	switch medium {
	case "":
		medium = captcha.Image
	case captcha.Image, captcha.Audio:
	default:
		return accounts.FieldErrors{fieldKind: accounts.Malformed}
	}
	view, err := s.newCaptcha(c, medium)
	if err != nil {
		return err
	}
	return answer(c, http.StatusCreated, view)
}

// newCaptcha asks a challenge and files its answer.
func (s *Server) newCaptcha(c echo.Context, medium captcha.Medium) (captchaView, error) {
	if !s.Captcha.Enabled() {
		return captchaView{}, errCaptchaIsOff
	}
	if err := s.spend(c, s.byAddress(c, limits.CaptchaIP)); err != nil {
		return captchaView{}, err
	}
	challenge, err := s.Captcha.Make(medium, languageOf(c))
	if err != nil {
		return captchaView{}, err
	}
	view := captchaView{ID: captcha.NewID(), ExpiresIn: seconds(s.Config.CaptchaTTL)}
	if err := s.Captchas.Put(c.Request().Context(), view.ID, challenge.Answer, s.Config.CaptchaTTL); err != nil {
		return captchaView{}, err
	}
	s.Metrics.captchas.WithLabelValues("asked").Inc()
	uri := "data:" + challenge.MIME + ";base64," + base64.StdEncoding.EncodeToString(challenge.Media)
	if medium == captcha.Audio {
		view.Audio = uri
	} else {
		view.Image = uri
	}
	return view, nil
}

type captchaCheckBody struct {
	Answer string `json:"answer"`
}

type captchaCheckView struct {
	Valid bool `json:"valid"`
}

// checkCaptcha tells a person early that an answer is wrong. It does not spend a right one, and it
// is no oracle: the third wrong answer spends the captcha.
func (s *Server) checkCaptcha(c echo.Context) error {
	var body captchaCheckBody
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.Answer == "" {
		return accounts.FieldErrors{fieldAnswer: accounts.Missing}
	}
	ctx, id := c.Request().Context(), c.Param("id")
	if !captcha.ValidID(id) {
		return errCaptchaGone
	}
	if err := s.spend(c, s.byAddress(c, limits.CheckIP)); err != nil {
		return err
	}
	want, err := s.Captchas.Peek(ctx, id)
	if err != nil {
		return err
	}
	if want == "" {
		return errCaptchaGone
	}
	valid := captcha.Match(want, body.Answer)
	if !valid {
		if err := s.Captchas.Fail(ctx, id); err != nil {
			return err
		}
	}
	return answer(c, http.StatusOK, captchaCheckView{valid})
}
