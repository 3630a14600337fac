package api

import (
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha/challenge"
	"usher/limits"
)

// envelope is the shape of every JSON answer.
type envelope struct {
	Errno     string            `json:"errno"`
	Errmsg    string            `json:"errmsg"`
	Data      any               `json:"data"`
	Fields    map[string]string `json:"fields,omitempty"`
	RequestID string            `json:"request_id"`
}

// none is the data of an answer without any.
type none struct{}

// work does what a request asks for and returns the data of its answer.
type work func(echo.Context) (data any, err error)

// endpoint answers with the data that the work returns.
func endpoint(status int, do work) echo.HandlerFunc {
	return func(c echo.Context) error {
		data, err := do(c)
		if err != nil {
			return err
		}
		return answer(c, status, data)
	}
}

// withBody is work whose input is a JSON body, see [decode]. B is a struct of strings and booleans.
func withBody[B, R any](do func(echo.Context, B) (R, error)) work {
	return func(c echo.Context) (any, error) {
		var body B
		if err := decode(c, &body); err != nil {
			return nil, err
		}
		data, err := do(c, body)
		return viewOf(c, data), err
	}
}

// withoutBody is work that reads no body.
func withoutBody[R any](do func(echo.Context) (R, error)) work {
	return func(c echo.Context) (any, error) {
		data, err := do(c)
		return viewOf(c, data), err
	}
}

// viewOf returns what a client sees of a result. Views are returned as they are. With an account the client gets the token of the
// bearer session that the request has started, if it has.
func viewOf(c echo.Context, data any) any {
	switch data := data.(type) {
	case accounts.Account:
		return openedView{newAccountView(data), startedBearer(c)}
	case accounts.Undone:
		view := undoView{newAccountView(data.Account), data.Lost}
		if view.NotRestored == nil {
			view.NotRestored = []accounts.Field{} // JSON's [] instead of null
		}
		return view
	}
	return data
}

// answer sends data in the envelope of success.
func answer(c echo.Context, status int, data any) error {
	return c.JSON(status, envelope{Errno: "0", Errmsg: "OK", Data: data, RequestID: idOf(c)})
}

// otherCaptchaView is the data of a refusal that another captcha overcomes: one of a higher price, or one of ours in place of a
// vendor's.
type otherCaptchaView struct {
	Price  challenge.Price  `json:"captcha_price,omitempty"`
	Medium challenge.Medium `json:"captcha_kind,omitempty"`
}

// waitingView is the data of a refused sign-in to an account that waits for its proof: in this session the mail can be
// asked for again without its address, and the address can be corrected.
type waitingView struct {
	Waiting bool `json:"waiting"`
}

// reply is a refusal in one language.
type reply struct {
	problem
	sentence   string
	fields     map[string]string
	retryAfter time.Duration
	price      challenge.Price // of the captcha that would be enough; empty where none is asked

	// medium is the kind of captcha to ask for in place of a vendor's that cannot be verified; empty in other cases.
	medium challenge.Medium

	waiting bool // see waitingView
}

// renderError is Echo's error handler: the only place where an error becomes an answer.
func (s *Server) renderError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	r := describe(err, languageOf(c))
	if !isOverload(err) {
		s.logError(c, r.status, err)
	}
	setRetryAfter(c, r)
	setChallenge(c, err)
	if wantsPage(c) {
		s.renderErrorPage(c, r)
		return
	}
	var data any = none{}
	switch {
	case r.price != "" || r.medium != "":
		data = otherCaptchaView{r.price, r.medium}
	case r.waiting:
		data = waitingView{true}
	}
	_ = c.JSON(r.status, envelope{r.errno, r.sentence, data, r.fields, idOf(c)}) // the client has gone
}

// setRetryAfter sends whole seconds, rounded up: a client that comes back a second early has spent another request.
func setRetryAfter(c echo.Context, r reply) {
	if r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(seconds(max(r.retryAfter, time.Second))))
	}
}

// seconds rounds up.
func seconds(d time.Duration) int { return int(math.Ceil(max(d, 0).Seconds())) }

// setRateLimit tells a client that sent something how much is left of the tightest limit, in the fields of
// draft-ietf-httpapi-ratelimit-headers. All units are free again after the whole period at the latest.
func setRateLimit(c echo.Context, d limits.Decision) {
	if d.Limit.Count == 0 {
		return
	}
	name := strconv.Quote(string(d.Limit.Name))
	header := c.Response().Header()
	period := strconv.Itoa(seconds(d.Limit.Period))
	header.Set("RateLimit-Policy", name+";q="+strconv.Itoa(d.Limit.Count)+";w="+period)
	header.Set("RateLimit", name+";r="+strconv.Itoa(d.Remaining)+";t="+period)
}

// warn logs a failure that the answer to the request does not depend on.
func (s *Server) warn(c echo.Context, text string, err error) {
	s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, text, //nolint:sloglint // every caller passes a literal
		slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
}
