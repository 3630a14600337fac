package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// GeeTest's CAPTCHA v4: the question of a server (/validate), and what the browser needs for a token: a script with the
// interface of gt4.js, whose button is the whole challenge, and its request (/verify).
//
// The vendor documents the codes and the reasons "pass_token expire" and "pass_token error". It does not document its answer to a
// wrong signature, or how long a token lives after it was solved: those are guesses here, on the strict side.

const (
	geetestLot  = 10 * time.Minute // life of a lot number
	geetestKept = 10_000           // tokens; the oldest are forgotten
)

//go:embed assets/gt4.js
var geetestScript []byte

// geetestToken is what getValidate of the script returns.
type geetestToken struct {
	CaptchaID     string `json:"captcha_id"`
	LotNumber     string `json:"lot_number"`
	PassToken     string `json:"pass_token"`
	GenTime       string `json:"gen_time"`
	CaptchaOutput string `json:"captcha_output"`
}

// geetestIssued is a token with its state.
type geetestIssued struct {
	geetestToken

	issuedAt time.Time
	used     bool
}

// geetestTokens are the tokens by lot number. It is safe for concurrent use.
type geetestTokens struct {
	mu     sync.Mutex
	issued map[string]*geetestIssued
	order  []string
}

func (t *geetestTokens) issue(captchaID string, now time.Time) geetestToken {
	token := geetestToken{
		CaptchaID: captchaID, LotNumber: randomHex(16), PassToken: randomHex(32),
		GenTime: strconv.FormatInt(now.Unix(), 10), CaptchaOutput: randomHex(100) + "==",
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.issued == nil {
		t.issued = map[string]*geetestIssued{}
	}
	t.issued[token.LotNumber] = &geetestIssued{geetestToken: token, issuedAt: now}
	if t.order = append(t.order, token.LotNumber); len(t.order) > geetestKept {
		delete(t.issued, t.order[0])
		t.order = t.order[1:]
	}
	return token
}

// use spends the token of a lot number. It returns a copy of its state before; nil when there is none.
func (t *geetestTokens) use(lotNumber string) *geetestIssued {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.issued[lotNumber]
	if kept == nil {
		return nil
	}
	before := *kept
	kept.used = true
	return &before
}

// serveGeetestScript serves the stand-in for gt4.js.
func serveGeetestScript(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	_, _ = w.Write(geetestScript)
}

var callbackPattern = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// serveGeetestVerify answers the browser, as JSON or, with a callback, as a script.
func (s *Server) serveGeetestVerify(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	captchaID, callback := query.Get("captcha_id"), query.Get("callback")
	var document any = geetestRefused("-50103", "not captcha")
	if captchaID == s.config.Credentials.Geetest.CaptchaID {
		type data struct {
			Result  string       `json:"result"`
			Seccode geetestToken `json:"seccode"`
		}
		document = struct {
			Status string `json:"status"`
			Data   data   `json:"data"`
		}{"success", data{"success", s.geetest.issue(captchaID, s.config.Now())}}
	}
	if callback == "" {
		render(http.StatusOK, false, document).write(w)
		return
	}
	if !callbackPattern.MatchString(callback) {
		render(http.StatusOK, false, geetestRefused("-50004", "jsonp xss")).write(w)
		return
	}
	text, _ := json.Marshal(document)
	answer{status: http.StatusOK, contentType: "text/javascript; charset=utf-8", body: []byte(callback + "(" + string(text) + ")")}.write(w)
}

// geetestRefusal is the answer to a request that is wrong.
type geetestRefusal struct {
	Status string            `json:"status"`
	Code   string            `json:"code"`
	Msg    string            `json:"msg"`
	Desc   map[string]string `json:"desc"`
}

func geetestRefused(code, msg string) geetestRefusal {
	return geetestRefusal{"error", code, msg, map[string]string{"type": "defined error"}}
}

// geetestResult is the answer to a right question.
type geetestResult struct {
	Status string      `json:"status"`
	Result string      `json:"result"`
	Reason string      `json:"reason"`
	Args   geetestArgs `json:"captcha_args"`
}

type geetestArgs struct {
	UsedType  string `json:"used_type"`
	UserIP    string `json:"user_ip"`
	LotNumber string `json:"lot_number"`
	Scene     string `json:"scene"`
	Referer   string `json:"referer"`
}

// serveGeetest answers the question of a server.
func (s *Server) serveGeetest(w http.ResponseWriter, r *http.Request) {
	s.answerSend(w, r, vendorGeetest,
		func(f Fault) answer {
			a := render(http.StatusOK, false, geetestRefused(f.Code, "The sandbox was asked to answer with this code."))
			if f.Status != 0 {
				a.status = f.Status
			}
			return a
		},
		func() answer {
			form, problem := geetestForm(r)
			if problem != nil {
				return render(http.StatusOK, false, *problem)
			}
			return render(http.StatusOK, false, s.validateGeetest(form))
		})
}

// geetestForm reads the parameters of a form, or of the query; captcha_id may be in the query in both cases.
func geetestForm(r *http.Request) (url.Values, *geetestRefusal) {
	refused := geetestRefused("-50005", "illegal gen_time") // as for a body that is not a form, says the vendor's list of questions
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method == http.MethodPost && mediaType != "application/x-www-form-urlencoded" {
		return nil, &refused
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxVendorBody)
	if r.ParseForm() != nil {
		return nil, &refused
	}
	return r.Form, nil
}

var (
	geetestHex    = regexp.MustCompile(`^[0-9a-f]{32}$`)
	geetestDigits = regexp.MustCompile(`^[0-9]+$`)
)

// validateGeetest checks the fields, the signature and the token. Any answer to a right signature spends the token.
func (s *Server) validateGeetest(form url.Values) any {
	keys := s.config.Credentials.Geetest
	captchaID, lot := form.Get("captcha_id"), form.Get("lot_number")
	switch {
	case captchaID == "":
		return geetestRefused("-50101", "not captcha_id")
	case len(captchaID) != len(keys.CaptchaID):
		return geetestRefused("-50102", "illegal captcha_id")
	case captchaID != keys.CaptchaID:
		return geetestRefused("-50103", "not captcha")
	case lot == "":
		return geetestRefused("-50302", "not lot_number")
	case !geetestHex.MatchString(lot):
		return geetestRefused("-50303", "illegal lot_number")
	case !geetestDigits.MatchString(form.Get("gen_time")):
		return geetestRefused("-50005", "illegal gen_time")
	}
	mac := hmac.New(sha256.New, []byte(keys.Key))
	mac.Write([]byte(lot))
	if form.Get("sign_token") != hex.EncodeToString(mac.Sum(nil)) {
		return geetestSaid("fail", "sign_token error", lot)
	}
	token := s.geetest.use(lot)
	switch {
	case token == nil:
		return geetestRefused("-50301", "not proof")
	case token.used:
		return geetestRefused("-50003", "illegal verify")
	case s.config.Now().Sub(token.issuedAt) > geetestLot:
		return geetestSaid("fail", "pass_token expire", lot)
	case form.Get("pass_token") != token.PassToken, form.Get("gen_time") != token.GenTime, form.Get("captcha_output") != token.CaptchaOutput:
		return geetestSaid("fail", "pass_token error", lot)
	}
	return geetestSaid("success", "", lot)
}

func geetestSaid(result, reason, lot string) geetestResult {
	return geetestResult{"success", result, reason, geetestArgs{
		UsedType: "slide", UserIP: "127.0.0.1", LotNumber: strings.ToLower(lot), Scene: "sandbox", Referer: "",
	}}
}
