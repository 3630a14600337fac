package api

import (
	"cmp"
	"encoding/base64"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha"
	"usher/limits"
)

type captchaBody struct {
	Kind  string `json:"kind"`
	Price string `json:"price"`
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
	medium, price := captcha.Medium(cmp.Or(body.Kind, string(captcha.Image))), captcha.Price(cmp.Or(body.Price, string(captcha.Normal)))
	refused := accounts.FieldErrors{}
	if medium != captcha.Image && medium != captcha.Audio {
		refused[fieldKind] = accounts.Malformed
	}
	if !price.Valid() {
		refused[fieldPrice] = accounts.Malformed
	}
	if len(refused) > 0 {
		return refused
	}
	view, err := s.newCaptcha(c, medium, price)
	if err != nil {
		return err
	}
	return answer(c, http.StatusCreated, view)
}

// newCaptcha asks a challenge and keeps its answer.
func (s *Server) newCaptcha(c echo.Context, medium captcha.Medium, price captcha.Price) (captchaView, error) {
	if !s.Captcha.Enabled() {
		return captchaView{}, errCaptchaIsOff
	}
	if err := s.spend(c, s.byAddress(c, limits.CaptchaIP)); err != nil {
		return captchaView{}, err
	}
	challenge, err := s.Captcha.Make(medium, price, languageOf(c))
	if err != nil {
		return captchaView{}, err
	}
	view := captchaView{ID: captcha.NewID(), ExpiresIn: seconds(s.Config.CaptchaTTL)}
	if err := s.Captchas.Put(c.Request().Context(), view.ID, challenge.Asked, s.Config.CaptchaTTL); err != nil {
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
	asked, err := s.Captchas.Peek(ctx, id)
	if err != nil {
		return err
	}
	if asked.Answer == "" {
		return errCaptchaGone
	}
	valid := captcha.Match(asked.Answer, body.Answer)
	if !valid {
		if err := s.Captchas.Fail(ctx, id); err != nil {
			return err
		}
	}
	return answer(c, http.StatusOK, captchaCheckView{valid})
}
