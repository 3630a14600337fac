package api

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha"
	"usher/captcha/challenge"
	"usher/captcha/pow"
	"usher/limits"
)

type captchaBody struct {
	Kind     string `json:"kind"`
	Price    string `json:"price"`
	Replaces string `json:"replaces"`
}

// captchaView has an image or a recording, as a data URI, a proof of work to compute, one of the first two and that, or a
// vendor's captcha. The kind is what was asked for, or what is shown instead of a vendor's.
type captchaView struct {
	ID        string         `json:"captcha_id"`
	Kind      string         `json:"kind"`
	Image     string         `json:"image,omitempty"`
	Audio     string         `json:"audio,omitempty"`
	Challenge *pow.Challenge `json:"challenge,omitempty"`
	Geetest   *hostedView    `json:"geetest,omitempty"`
	ExpiresIn int            `json:"expires_in"`
}

func (s *Server) createCaptcha(c echo.Context) (any, error) {
	var body captchaBody
	if c.Request().ContentLength != 0 { // everything in the body has a default
		if err := decode(c, &body); err != nil {
			return nil, err
		}
	}
	medium, price, err := s.parseCaptcha(body)
	if err != nil {
		return nil, err
	}
	if medium == challenge.Audio {
		if err := s.replacePicture(c, body.Replaces); err != nil {
			return nil, err
		}
	}
	return s.newCaptcha(c, medium, price, true)
}

// parseCaptcha fills in defaults. A recording must name the picture that it replaces. A proof of work alone is weaker
// than a picture and is accepted only where the settings say so.
func (s *Server) parseCaptcha(b captchaBody) (challenge.Medium, challenge.Price, error) {
	medium, price := challenge.Medium(cmp.Or(b.Kind, string(challenge.Image))), challenge.Price(cmp.Or(b.Price, string(challenge.Normal)))
	wrong := mistakes{}
	if !slices.Contains([]challenge.Medium{challenge.Image, challenge.Audio, challenge.Hosted}, medium) &&
		(medium != challenge.Work || s.Captcha.Kind() != captcha.Work) {
		wrong[fieldKind] = accounts.Malformed
	}
	if !price.Valid() {
		wrong[fieldPrice] = accounts.Malformed
	}
	if medium == challenge.Audio {
		wrong.require(fieldReplaces, b.Replaces)
	}
	return medium, price, wrong.err()
}

// replacePicture spends the picture that a recording replaces. Machines understand recordings better than they read
// pictures, so each recording costs a picture and has a limit of its own.
func (s *Server) replacePicture(c echo.Context, id string) error {
	if !s.Captcha.Enabled() {
		return errCaptchaIsOff
	}
	if !captcha.ValidID(id) {
		return errCaptchaGone
	}
	asked, decision, err := s.Gate.Admit(c.Request().Context(), id, s.byAddress(c, limits.CaptchaAudioIP))
	switch {
	case err != nil:
		return err
	case !decision.Allowed():
		return refusal(decision)
	case asked.Medium != challenge.Image:
		return errCaptchaGone
	}
	return nil
}

// newCaptcha makes a challenge and stores its answer. Scripted means that the client can compute a proof of work.
func (s *Server) newCaptcha(c echo.Context, medium challenge.Medium, price challenge.Price, scripted bool) (captchaView, error) {
	if !s.Captcha.Enabled() {
		return captchaView{}, errCaptchaIsOff
	}
	_, decision, err := s.Gate.Admit(c.Request().Context(), "", s.byAddress(c, limits.CaptchaIP), s.pricedByLimits(c)...)
	if err != nil {
		return captchaView{}, err
	}
	if !decision.Allowed() {
		return captchaView{}, refusal(decision)
	}
	if wanted := priceOf(decision.Risk); !price.Covers(wanted) {
		price = wanted
	}
	if price == challenge.Raised && !scripted {
		price = challenge.High
	}
	if medium == challenge.Hosted && (price == challenge.High || !s.hostedIsReady()) {
		medium = s.ownMedium()
	}
	view, asked, err := s.makeCaptcha(medium, price, languageOf(c))
	if err != nil {
		return captchaView{}, err
	}
	if err := s.Captchas.Put(c.Request().Context(), view.ID, asked, s.Config.CaptchaTTL); err != nil {
		return captchaView{}, err
	}
	s.Metrics.captchas.WithLabelValues("asked").Inc()
	s.Metrics.prices.WithLabelValues(string(medium), string(price)).Inc()
	return view, nil
}

// makeCaptcha returns what to show of a new challenge, and what to store.
func (s *Server) makeCaptcha(medium challenge.Medium, price challenge.Price, language string) (captchaView, challenge.Asked, error) {
	view := captchaView{ID: captcha.NewID(), Kind: string(medium), ExpiresIn: seconds(s.Config.CaptchaTTL)}
	if medium == challenge.Hosted {
		widget := s.Hosted.Widget
		view.Kind, view.Geetest = widget.Vendor, &hostedView{widget.CaptchaID, widget.Script}
		return view, challenge.Asked{Medium: medium, Price: price, Answer: string(medium)}, nil
	}
	asked := challenge.Asked{Medium: medium, Price: price, Answer: string(challenge.Work)}
	if asked.NeedsWork() {
		id, work, err := s.Work.Make(price, s.Now().Add(s.Config.CaptchaTTL))
		if err != nil {
			return captchaView{}, asked, err
		}
		view.ID, view.Challenge = id, &work
	}
	if medium != challenge.Work {
		made, err := s.Captcha.Make(medium, price, language)
		if err != nil {
			return captchaView{}, asked, err
		}
		asked.Answer = made.Answer
		view.show(made)
	}
	return view, asked, nil
}

func (v *captchaView) show(made captcha.Challenge) {
	uri := "data:" + made.MIME + ";base64," + base64.StdEncoding.EncodeToString(made.Media)
	if made.Medium == challenge.Audio {
		v.Audio = uri
	} else {
		v.Image = uri
	}
}

// right reports whether given answers what was asked under an id. A proof of work that is asked beside an answer follows
// it after a space.
func (s *Server) right(id string, asked challenge.Asked, given string) bool {
	proof := given
	if asked.NeedsWork() && asked.Medium != challenge.Work {
		cut := strings.LastIndexByte(given, ' ')
		if cut < 0 {
			return false
		}
		given, proof = given[:cut], given[cut+1:]
	}
	if asked.NeedsWork() && s.Work.Verify(id, proof, s.Now()) != nil {
		return false
	}
	return asked.Medium == challenge.Work || captcha.Match(asked.Answer, given)
}

type captchaCheckBody struct {
	Answer string `json:"answer"`
}

type captchaCheckView struct {
	Valid bool `json:"valid"`
}

// checkCaptcha tells a person early that an answer is wrong. It does not spend a right one. It cannot be used to try
// answers out: the third wrong answer spends the captcha.
func (s *Server) checkCaptcha(c echo.Context, body captchaCheckBody) (captchaCheckView, error) {
	if body.Answer == "" {
		return captchaCheckView{}, accounts.FieldErrors{fieldAnswer: accounts.Missing}
	}
	ctx, id := c.Request().Context(), c.Param("id")
	if !captcha.ValidID(id) {
		return captchaCheckView{}, errCaptchaGone
	}
	if err := s.spend(c, s.byAddress(c, limits.CheckIP)); err != nil {
		return captchaCheckView{}, err
	}
	asked, err := s.Captchas.Peek(ctx, id)
	switch {
	case err != nil:
		return captchaCheckView{}, err
	case asked.Answer == "":
		return captchaCheckView{}, errCaptchaGone
	case asked.Medium == challenge.Hosted: // the vendor accepts a token once
		return captchaCheckView{}, accounts.FieldErrors{fieldAnswer: accounts.Malformed}
	case s.right(id, asked, body.Answer):
		return captchaCheckView{Valid: true}, nil
	}
	return captchaCheckView{}, s.Captchas.Fail(ctx, id)
}
