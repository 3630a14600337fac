// Package geetest asks GeeTest's CAPTCHA v4 (极验行为验证 4.0) whether a token is right.
//
// Its documents: https://docs.geetest.com/gt4/apirefer/api/server (the question), …/apirefer/errorcode/server (the codes),
// …/apirefer/api/web (the script). The contract has no field for the client's address, so that GeeTest learns it from the
// browser alone.
package geetest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"usher/captcha/hosted"
)

// Name is the kind of GeeTest's challenges in the API.
const Name = "geetest"

// Config is an account at GeeTest. All fields must be set.
type Config struct {
	CaptchaID string // public
	Key       string // secret
	Endpoint  string // URL in front of /validate, without a slash at its end
	Script    string // URL of gt4.js
}

// account is the form of a captcha id and of its key: 32 characters, says the glossary of GeeLab.
var account = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)

// ValidAccount reports whether a captcha id or a key has the form of GeeTest's.
func ValidAccount(text string) bool { return account.MatchString(text) }

// Client asks GeeTest. It is safe for concurrent use.
type Client struct {
	config Config
	http   *http.Client
}

// New returns a client.
func New(config Config) *Client {
	return &Client{config, &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment, // never for loopback
			DialContext:            (&net.Dialer{Timeout: time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:    time.Second,
			MaxResponseHeaderBytes: maxAnswer,
			DisableCompression:     true, // answers are short, and no compressed answer can grow in memory
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        30 * time.Second,
		},
	}}
}

// Widget is what pages need. The hosts are those that gt4.js 4.1.5 and 4.2.1 contact; the vendor has no list of them.
func (c *Client) Widget() hosted.Widget {
	sources := []string{"https://*.geetest.com", "https://*.geevisit.com", "https://*.gsensebot.com"}
	for _, address := range []string{c.config.Script, c.config.Endpoint} {
		if u, err := url.Parse(address); err == nil {
			sources = append(sources, u.Scheme+"://"+u.Host)
		}
	}
	return hosted.Widget{Vendor: Name, CaptchaID: c.config.CaptchaID, Script: c.config.Script, Sources: sources}
}

// token is what getValidate of the script returns.
type token struct {
	CaptchaID     string `json:"captcha_id"`
	LotNumber     string `json:"lot_number"`
	CaptchaOutput string `json:"captcha_output"`
	PassToken     string `json:"pass_token"`
	GenTime       string `json:"gen_time"`
}

// maxToken bounds a token in bytes; one has about 1,000.
const maxToken = 8 << 10

// The documents give no forms but for gen_time, which has digits only. These admit the samples, and nothing that a firewall
// in front of the vendor could take for an attack: its refusals would look like a failure.
var (
	lotPattern    = regexp.MustCompile(`^[0-9A-Za-z_-]{8,64}$`)
	textPattern   = regexp.MustCompile(`^[0-9A-Za-z+/=_.~:|-]+$`)
	digitsPattern = regexp.MustCompile(`^[0-9]{1,20}$`)
)

// parse reads a token. One without a captcha id has ours.
func (c *Client) parse(text string) (t token, ok bool) {
	if len(text) > maxToken || json.Unmarshal([]byte(text), &t) != nil {
		return token{}, false
	}
	return t, (t.CaptchaID == "" || t.CaptchaID == c.config.CaptchaID) && lotPattern.MatchString(t.LotNumber) &&
		textPattern.MatchString(t.CaptchaOutput) && textPattern.MatchString(t.PassToken) && digitsPattern.MatchString(t.GenTime)
}

// ID implements [hosted.Verifier]: the lot number names one verification.
func (c *Client) ID(text string) (string, bool) {
	t, ok := c.parse(text)
	return t.LotNumber, ok
}

// Verify implements [hosted.Verifier]. The token is the JSON of the script's getValidate. The score is 0 or 1.
func (c *Client) Verify(ctx context.Context, text string, _ netip.Addr) (ok bool, score float64, err error) {
	t, valid := c.parse(text)
	if !valid {
		return false, 0, nil
	}
	if ok, _, err = c.ask(ctx, t); ok {
		score = 1
	}
	return ok, score, err
}

// sign returns the signature of a lot number.
func sign(key, lotNumber string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(lotNumber))
	return hex.EncodeToString(mac.Sum(nil))
}

// ask sends one question. The code is that of the vendor's refusal, if it gave one.
func (c *Client) ask(ctx context.Context, t token) (ok bool, code string, err error) {
	form := url.Values{
		"lot_number": {t.LotNumber}, "captcha_output": {t.CaptchaOutput}, "pass_token": {t.PassToken}, "gen_time": {t.GenTime},
		"sign_token": {sign(c.config.Key, t.LotNumber)},
	}
	address := c.config.Endpoint + "/validate?captcha_id=" + url.QueryEscape(c.config.CaptchaID)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return false, "", fmt.Errorf("%w: request cannot be built", hosted.ErrMisconfigured)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := c.http.Do(request)
	if err != nil {
		return false, "", fmt.Errorf("%w: %w", hosted.ErrAway, cause(err))
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return false, "", fmt.Errorf("%w: %w", hosted.ErrAway, cause(err))
	case len(body) > maxAnswer:
		return false, "", fmt.Errorf("%w: answer is too long", hosted.ErrAway)
	}
	return read(response.StatusCode, body)
}

// cause removes the address from an error of the client.
func cause(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// Check asks about a lot number that does not exist. It returns nil when GeeTest knows the captcha id. A wrong key shows only
// in the answers to real tokens: the vendor's documents do not say that it checks the signature first.
func (c *Client) Check(ctx context.Context) error {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails since Go 1.24
	text := hex.EncodeToString(random)
	ok, _, err := c.ask(ctx, token{LotNumber: text, CaptchaOutput: text, PassToken: text, GenTime: strconv.FormatInt(time.Now().Unix(), 10)})
	if ok {
		return fmt.Errorf("%w: it accepts a made-up token", hosted.ErrMisconfigured)
	}
	return err
}
