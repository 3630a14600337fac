package prove_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/internal/testkit"
)

// witness is a browser that keeps all that it is told, but for what only it should know: its cookies are secrets.
type witness struct {
	t       testing.TB
	base    string
	client  *http.Client
	said    bytes.Buffer
	secrets []string
	request string // id of the requests, when it is not left to the API
	key     string // for idempotency
	leak    []byte // what is added to places where nothing can be planted
}

func newWitness(t testing.TB, address string) *witness {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: answerTime}
	t.Cleanup(client.CloseIdleConnections)
	return &witness{t: t, base: "http://" + address, client: client}
}

// do sends one request and wants the status, unless that is 0. It returns the data of the answer.
func (w *witness) do(status int, method, path string, body map[string]any) map[string]any {
	w.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	request := ask(w.t, method, w.base+path, string(encoded))
	request.Header.Set("Content-Type", "application/json")
	if w.request != "" {
		request.Header.Set("X-Request-Id", w.request)
	}
	if w.key != "" {
		request.Header.Set("Idempotency-Key", w.key)
	}
	response, err := w.client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil || status != 0 && response.StatusCode != status {
		w.t.Fatalf("%s %s = %d %s, %v", method, path, response.StatusCode, text, err)
	}
	for _, cookie := range response.Cookies() {
		if cookie.Value != "" && cookie.Name != "usher-name" { // a user name, which is no secret
			w.secrets = append(w.secrets, cookie.Value)
		}
	}
	response.Header.Del("Set-Cookie")
	fmt.Fprintf(&w.said, "%d %v\n%s\n", response.StatusCode, response.Header, text)
	var envelope struct{ Data map[string]any }
	_ = json.Unmarshal(text, &envelope) // pages have none
	return envelope.Data
}

func (w *witness) post(status int, path string, body map[string]any) map[string]any {
	w.t.Helper()
	return w.do(status, http.MethodPost, path, body)
}

// captcha answers a new captcha, which it reads in Redis.
func (s *search) captcha(body map[string]any) map[string]any {
	s.t.Helper()
	body["captcha_id"] = s.post(http.StatusCreated, "/v1/captchas", map[string]any{})["captcha_id"]
	client := s.d.redis()
	defer func() { _ = client.Close() }()
	keys, err := client.Keys(s.t.Context(), "usher:*:captcha").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	var answers []string
	for _, key := range keys {
		// End, medium, price and answer; in the place of a captcha that opened a registration stands a note of that.
		if kept := strings.Fields(client.Get(s.t.Context(), key).Val()); len(kept) == 4 {
			answers = append(answers, kept[3])
		}
	}
	if len(answers) != 1 {
		s.t.Fatalf("%d captchas wait in %d keys", len(answers), len(keys))
	}
	body["captcha"] = answers[0]
	s.captchas = append(s.captchas, answers[0])
	return body
}

// promise asks for a code that stays unread, and returns its id.
func (s *search) promise(mobile, purpose string) any {
	s.t.Helper()
	return s.post(http.StatusAccepted, "/v1/sms-codes", s.captcha(map[string]any{"mobile": mobile, "purpose": purpose}))["sms_code_id"]
}

// code asks for a code and reads it.
func (s *search) code(mobile, purpose string) (id any, code string) {
	s.t.Helper()
	id = s.promise(mobile, purpose)
	testkit.Eventually(s.t, patience, func() bool { return len(s.d.journal.to(mobile)) > 0 }, "a code for %s", mobile)
	code = s.d.journal.to(mobile)[0].Code
	s.codes = append(s.codes, code)
	return id, code
}

// mailCode asks for a code by mail, and tries it and the button beside it.
func (s *search) mailCode(i int) {
	s.t.Helper()
	address := fmt.Sprintf("code-%d@mail-codes-%d.example.com", i, i)
	s.secrets = append(s.secrets, address)
	id := s.post(http.StatusAccepted, "/v1/email-codes", s.captcha(map[string]any{"email": address, "purpose": "login"}))["email_code_id"]
	token := s.mailed(address, 1)
	code := strings.TrimSpace(regexp.MustCompile(`(?m)^ +\d{8}\r?$`).FindString(s.d.journal.to(address)[0].Text))
	if code == "" {
		s.t.Fatalf("mail to %s has no code", address)
	}
	s.secrets, s.codes = append(s.secrets, token), append(s.codes, code)
	s.post(http.StatusOK, "/v1/email-codes/check", map[string]any{"email_code_id": id, "email": address, "code": "00000000", "purpose": "login"})
	s.post(http.StatusOK, "/v1/email-codes/check", map[string]any{"email_code_token": token, "purpose": "login"})
	s.post(http.StatusUnprocessableEntity, "/v1/email-codes/check", map[string]any{"email_code_token": token[:len(token)-1], "purpose": "login"})
	s.post(http.StatusUnprocessableEntity, "/v1/email-codes/check", map[string]any{"email_code_id": id, "email": address, "code": code, "purpose": "register"})
	s.do(0, http.MethodGet, "/v1/email-codes/"+address, nil)
	s.do(0, http.MethodGet, "/code?token="+token[:len(token)-1], nil)
}

// mailed waits for the first mail and returns the token of its link.
func (s *search) mailed(address string, nth int) string {
	s.t.Helper()
	testkit.Eventually(s.t, patience, func() bool { return len(s.d.journal.to(address)) >= nth }, "mail %d to %s", nth, address)
	link, err := url.Parse(s.d.journal.to(address)[nth-1].Links[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return link.Query().Get("token")
}

// burden keeps the deployment busy with secrets until the returned function is called.
func (s *search) burden() (stop func()) {
	s.t.Helper()
	const password, clients = "a password under load", 8
	s.secrets = append(s.secrets, password)
	ctx, cancel := context.WithCancel(s.t.Context())
	var group sync.WaitGroup
	answered := make(chan struct{}, clients)
	for i := range clients {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				body := fmt.Sprintf(`{"login":"burden-%d-%d@example.com","password":%q}`, i, n, password)
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+"/v1/sessions", strings.NewReader(body))
				if err != nil {
					return
				}
				request.Header.Set("Content-Type", "application/json")
				response, err := http.DefaultTransport.RoundTrip(request)
				if err != nil {
					return // it has crashed
				}
				_ = response.Body.Close()
				select {
				case answered <- struct{}{}:
				default:
				}
			}
		})
	}
	for range clients {
		select {
		case <-answered:
		case <-time.After(patience):
			s.t.Fatal("the API does not answer under load")
		}
	}
	return func() {
		cancel()
		group.Wait()
	}
}
