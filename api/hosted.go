package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"usher/captcha"
	"usher/captcha/challenge"
	"usher/captcha/hosted"
	"usher/web"
)

// Captchas of a vendor, see package hosted. The page shows one in a frame; the client sends the vendor's token as the answer.

// framePath is the page with the vendor's script. Its policy gives it an origin of its own, wherever it is opened.
const framePath = "/captcha"

// tokenMemory is how long a used token is remembered, longer than any vendor accepts one: GeeTest's lot numbers live for about
// 10 minutes.
const tokenMemory = 20 * time.Minute

// hostedView is what a client needs to show a vendor's captcha.
type hostedView struct {
	CaptchaID string `json:"captcha_id"`
	Script    string `json:"script"`
}

// hostedIsReady reports whether a vendor's captcha can be shown now.
func (s *Server) hostedIsReady() bool { return s.Hosted != nil && s.Hosted.Ready() }

// ownMedium is what is shown in place of a vendor's captcha.
func (s *Server) ownMedium() challenge.Medium {
	if s.Captcha.Kind() == captcha.Work {
		return challenge.Work
	}
	return challenge.Image
}

// hostedRefusal returns what is wrong with a vendor's token; nil for a right one. The vendor may accept a token twice within
// seconds, so that an accepted one is used up here. It is remembered after the vendor's answer: before that, clients could
// fill Redis with made-up tokens.
func (s *Server) hostedRefusal(c echo.Context, token string) error {
	if s.Hosted == nil { // it was turned off meanwhile
		return errCaptchaGone
	}
	ctx := c.Request().Context()
	id, ok := s.Hosted.ID(token)
	if !ok {
		return errCaptchaVendor
	}
	ok, err := s.Hosted.Verify(ctx, token, clientAddr(c))
	switch {
	case errors.Is(err, hosted.ErrAway), errors.Is(err, hosted.ErrMisconfigured), errors.Is(err, hosted.ErrUnclear):
		return errCaptchaAway
	case err != nil:
		return err
	case !ok:
		return errCaptchaVendor
	}
	isNew, err := s.Captchas.UseToken(ctx, s.Hosted.Widget.Vendor+" "+id, tokenMemory)
	switch {
	case err != nil:
		return err
	case !isNew:
		return errCaptchaGone
	}
	return nil
}

// captchaFrame is the page inside the pages' frame.
func (s *Server) captchaFrame(c echo.Context) error {
	if s.Hosted == nil {
		return echo.ErrNotFound
	}
	widget := s.Hosted.Widget
	page, policy, err := s.Web.Frame(languageOf(c), web.Frame{CaptchaID: widget.CaptchaID, Script: widget.Script, Sources: widget.Sources})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Security-Policy", policy)
	return c.HTMLBlob(http.StatusOK, page)
}
