package api

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"usher/captcha"
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

// none is the data of an answer that has nothing to say.
type none struct{}

// answer sends data in the envelope of success.
func answer(c echo.Context, status int, data any) error {
	return c.JSON(status, envelope{Errno: "0", Errmsg: "OK", Data: data, RequestID: idOf(c)})
}

// wantsPrice is the data of a refusal that a captcha of a higher price overcomes.
type wantsPrice struct {
	Price captcha.Price `json:"captcha_price"`
}

// reply is a refusal in the words of one person's language.
type reply struct {
	problem
	sentence   string
	fields     map[string]string
	retryAfter time.Duration
	price      captcha.Price // of the captcha that would be enough; empty where none is asked
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
	if wantsPage(c) {
		s.renderErrorPage(c, r)
		return
	}
	var data any = none{}
	if r.price != "" {
		data = wantsPrice{r.price}
	}
	_ = c.JSON(r.status, envelope{r.errno, r.sentence, data, r.fields, idOf(c)})
}

// setRetryAfter gives whole seconds, rounded up: a client that comes back a second early has spent
// another request.
func setRetryAfter(c echo.Context, r reply) {
	if r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(seconds(max(r.retryAfter, time.Second))))
	}
}

// seconds rounds up.
func seconds(d time.Duration) int { return int(math.Ceil(max(d, 0).Seconds())) }

// setRateLimit tells a client that sent something how much is left of the tightest limit, in the fields of
// draft-ietf-httpapi-ratelimit-headers. All of it is back after the whole period at the latest.
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
