package sandbox

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The receiver of Usher's signed HTTP sender. It stands for the service that a team writes by docs/http-sender.md, and is as
// strict as one can be. Requests and reports are signed as Standard Webhooks.

// webhookTolerance is how far a timestamp may be from our clock.
const webhookTolerance = 5 * time.Minute

// httpKinds are the kinds of refusals with their statuses.
var httpKinds = map[string]int{
	"temporary": http.StatusServiceUnavailable, "rate_limited": http.StatusTooManyRequests, "rejected": http.StatusUnprocessableEntity,
	"misconfigured": http.StatusForbidden, "unknown": http.StatusInternalServerError,
}

// httpSaid is every answer of the receiver.
type httpSaid struct {
	ProviderID string `json:"provider_id,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Code       string `json:"code,omitempty"`
	State      string `json:"state,omitempty"`
}

func (h httpSaid) answer(status int) answer { return render(status, false, h) }

// refuseHTTP makes a refusal. The code says which rule was broken.
func refuseHTTP(status int, kind, code string) *answer {
	a := httpSaid{Kind: kind, Code: code}.answer(status)
	return &a
}

// serveHTTPSender answers POST /http/, a request to send, and POST /http/query.
func (s *Server) serveHTTPSender(w http.ResponseWriter, r *http.Request) {
	if s.tallyHTTP(w, r) {
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxVendorBody))
	if err != nil {
		refuseHTTP(http.StatusRequestEntityTooLarge, "misconfigured", "body").write(w)
		return
	}
	authentic := func(do func(r *http.Request, body []byte) answer) answer {
		if refusal := s.authenticateHTTP(r, body); refusal != nil {
			return *refusal
		}
		return do(r, body)
	}
	if strings.HasSuffix(r.URL.Path, "/query") {
		authentic(s.httpQuery).write(w)
		return
	}
	s.answerSend(w, r, vendorHTTP,
		func(f Fault) answer { return httpSaid{Kind: f.Code}.answer(cmp.Or(f.Status, httpKinds[f.Code])) },
		func() answer { return authentic(s.httpSend) })
}

var webhookIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// authenticateHTTP checks the form of a request, its signature and its time.
func (s *Server) authenticateHTTP(r *http.Request, body []byte) *answer {
	id, timestamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case mediaType != "application/json":
		return refuseHTTP(http.StatusUnsupportedMediaType, "misconfigured", "content-type")
	case !webhookIDPattern.MatchString(id):
		return refuseHTTP(http.StatusUnauthorized, "misconfigured", "webhook-id")
	case err != nil || s.config.Now().Sub(time.Unix(seconds, 0)).Abs() > webhookTolerance:
		return refuseHTTP(http.StatusUnauthorized, "misconfigured", "webhook-timestamp")
	case !slices.Contains(strings.Fields(r.Header.Get("webhook-signature")), s.webhookSignature(id, timestamp, body)):
		return refuseHTTP(http.StatusUnauthorized, "misconfigured", "webhook-signature")
	}
	return nil
}

// webhookSignature signs id, timestamp and body with the secret of the credentials.
func (s *Server) webhookSignature(id, timestamp string, body []byte) string {
	secret, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.config.Credentials.HTTP.Secret, "whsec_"))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// httpMessage is the body of a request to send.
type httpMessage struct {
	To        string `json:"to"`
	Purpose   string `json:"purpose"`
	Code      string `json:"code"`
	ExpiresAt string `json:"expires_at"`
	Locale    string `json:"locale"`
	Attempt   int    `json:"attempt"`
	Product   string `json:"product"`
}

var (
	e164Pattern     = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	httpCodePattern = regexp.MustCompile(`^[0-9A-Z]{4,8}$`)
)

// check returns the first field that is wrong, or "".
func (m httpMessage) check(now time.Time) string {
	expires, err := time.Parse(time.RFC3339, m.ExpiresAt)
	switch {
	case !e164Pattern.MatchString(m.To) || !dialable(normalNumber(m.To)):
		return "to"
	case !httpCodePattern.MatchString(m.Code):
		return "code"
	case err != nil, !expires.After(now):
		return "expires_at"
	case m.Locale != "zh" && m.Locale != "en":
		return "locale"
	case m.Attempt < 1:
		return "attempt"
	}
	return ""
}

// httpSend keeps a message once for each webhook-id: a repeated request gets the answer of the first one.
func (s *Server) httpSend(r *http.Request, body []byte) answer {
	var m httpMessage
	now := s.config.Now()
	if json.Unmarshal(body, &m) != nil {
		return *refuseHTTP(http.StatusBadRequest, "misconfigured", "json")
	}
	if wrong := m.check(now); wrong != "" {
		return *refuseHTTP(http.StatusUnprocessableEntity, "rejected", wrong)
	}
	number := normalNumber(m.To)
	magic := magicFor(number)
	if magic.HTTP != "" {
		return httpSaid{Kind: magic.HTTP}.answer(httpKinds[magic.HTTP])
	}
	id := r.Header.Get("webhook-id")
	sum := sha256.Sum256([]byte(id))
	vendorID := hex.EncodeToString(sum[:8]) // the same for a repeated request
	if s.webhookIDs.add(id, now) {
		s.keepSMS(vendorHTTP, []string{number}, record{
			Message:  Message{From: m.product(), Text: m.text(), Code: m.Code},
			vendorID: vendorID, reference: id,
		}, now)
	}
	a := httpSaid{ProviderID: vendorID}.answer(http.StatusOK)
	a.lost = magic.Reset
	return a
}

// product is the name that the sender has set, or ours.
func (m httpMessage) product() string { return cmp.Or(m.Product, "Usher") }

// text is what a receiver makes of purpose and code.
func (m httpMessage) text() string {
	product := m.product()
	if m.Locale == "en" {
		return "[" + product + "] Your verification code is " + m.Code + ". Do not share it."
	}
	words := "您的"
	for _, t := range Templates() {
		if t.Purpose == m.Purpose {
			words = t.Words
		}
	}
	return "【" + product + "】" + words + "验证码为：" + m.Code + "，请勿泄露于他人！"
}

// httpQuery answers with the state of a message.
func (s *Server) httpQuery(_ *http.Request, body []byte) answer {
	var query struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &query) != nil || query.ID == "" {
		return *refuseHTTP(http.StatusUnprocessableEntity, "rejected", "id")
	}
	found := s.mailbox.choose(func(r *record) bool { return r.Provider == vendorHTTP && r.reference == query.ID })
	if len(found) == 0 {
		return httpSaid{State: "unknown"}.answer(http.StatusOK)
	}
	report := httpReportOf(&found[0])
	if !found[0].reported(s.config.Now()) {
		return httpSaid{State: "sent", ProviderID: report.ProviderID}.answer(http.StatusOK)
	}
	return httpSaid{State: report.State, Code: report.Code, ProviderID: report.ProviderID}.answer(http.StatusOK)
}

// httpReport is one delivery report.
type httpReport struct {
	ID         string `json:"id"` // the webhook-id of the send
	State      string `json:"state"`
	ProviderID string `json:"provider_id"`
	Code       string `json:"code"`
	At         string `json:"at"`
}

func httpReportOf(r *record) httpReport {
	report := httpReport{
		ID: r.reference, ProviderID: r.vendorID, State: "delivered", Code: "DELIVRD", At: r.reportedAt.UTC().Format(time.RFC3339),
	}
	if r.report == reportsUndelivered {
		report.State, report.Code = "undelivered", "UNDELIV"
	}
	return report
}

// httpPush pushes reports with a signature. All tries of one push have the same webhook-id and each has its own timestamp.
func (s *Server) httpPush(address string, due []record) reportPush {
	all := make([]httpReport, len(due))
	for i := range due {
		all[i] = httpReportOf(&due[i])
	}
	body, _ := json.Marshal(all) // plain structs cannot fail
	id := "push_" + randomHex(12)
	return reportPush{
		vendor: vendorHTTP, address: address, contentType: "application/json", body: body,
		understood: func([]byte) bool { return true },
		sign: func(header http.Header) {
			timestamp := strconv.FormatInt(s.config.Now().Unix(), 10)
			header.Set("webhook-id", id)
			header.Set("webhook-timestamp", timestamp)
			header.Set("webhook-signature", s.webhookSignature(id, timestamp, body))
		},
	}
}

// tallyHTTP counts a send without checking it. It reports whether the request was one.
func (s *Server) tallyHTTP(w http.ResponseWriter, r *http.Request) bool {
	if s.tally == nil || strings.HasSuffix(r.URL.Path, "/query") {
		return false
	}
	var m httpMessage
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxVendorBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil || json.Unmarshal(body, &m) != nil || m.To == "" {
		return false
	}
	n := s.tally.add(vendorHTTP, normalNumber(m.To), s.config.Now())
	if fault, hit := s.faults.draw(vendorHTTP, Fault.hitsSend); hit && !s.pause(r.Context(), fault.delay()) {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	httpSaid{ProviderID: "t" + strconv.Itoa(n)}.answer(http.StatusOK).write(w)
	return true
}
