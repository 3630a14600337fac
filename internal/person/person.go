// Package person walks through a sign-up as a frontend would: over HTTP, with a cookie jar, reading codes
// and links in the sandbox's inbox. The end-to-end tests share it.
package person

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"testing"
	"time"
)

// patience is how long a person waits for a message; far longer than it ever takes, for slow machines.
const patience = 20 * time.Second

// Person is one browser. It is not safe for concurrent use.
type Person struct {
	t       testing.TB
	api     string
	sandbox string
	client  *http.Client
	codes   sync.Map // ids of the codes that were asked for last, by number

	// CaptchaAnswer answers every captcha; empty where captchas are off.
	CaptchaAnswer string
}

// New returns a person in front of an API, both addresses as host:port.
func New(t testing.TB, api, sandbox string) *Person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 100} // a crowd that is one person keeps its connections too
	client := &http.Client{Transport: transport, Jar: jar, Timeout: patience}
	t.Cleanup(client.CloseIdleConnections)
	return &Person{t: t, api: "http://" + api, sandbox: "http://" + sandbox, client: client}
}

// Answer is the envelope of every answer.
type Answer struct {
	Status int               `json:"-"`
	Header http.Header       `json:"-"`
	Body   []byte            `json:"-"`
	Errno  string            `json:"errno"`
	Errmsg string            `json:"errmsg"`
	Data   map[string]any    `json:"data"`
	Fields map[string]string `json:"fields"`
}

// Text returns a field of the data as text.
func (a Answer) Text(field string) string {
	text, _ := a.Data[field].(string)
	return text
}

// Do sends one request; a nil body sends none.
func (p *Person) Do(method, path string, body any) Answer {
	p.t.Helper()
	answer, err := p.Try(p.t.Context(), method, path, body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// Try is Do for requests that may fail, and for other goroutines than the test's. As a frontend does, it adds the id
// of the code that this person asked for last to a body that has a code and no id.
func (p *Person) Try(ctx context.Context, method, path string, body any) (Answer, error) {
	fields, _ := body.(map[string]any)
	if _, chosen := fields["sms_code_id"]; !chosen && (fields["sms_code"] != nil || path == "/v1/sms-codes/check") {
		fields = maps.Clone(fields)
		fields["sms_code_id"], _ = p.codes.Load(fields["mobile"])
		body = fields
	}
	answer, err := p.request(ctx, method, path, body)
	if id := answer.Text("sms_code_id"); id != "" {
		p.codes.Store(fields["mobile"], id)
	}
	return answer, err
}

func (p *Person) request(ctx context.Context, method, path string, body any) (Answer, error) {
	var reader io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return Answer{}, err
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, p.api+path, reader)
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return p.send(request)
}

func (p *Person) send(request *http.Request) (Answer, error) {
	response, err := p.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Status: response.StatusCode, Header: response.Header, Body: raw}
	return answer, json.Unmarshal(raw, &answer)
}

// Must is Do that ends the test unless the answer has the status.
func (p *Person) Must(status int, method, path string, body any) Answer {
	p.t.Helper()
	answer := p.Do(method, path, body)
	if answer.Status != status {
		p.t.Fatalf("%s %s = %d %s, want %d", method, path, answer.Status, answer.Body, status)
	}
	return answer
}

// Captcha asks for a captcha and adds its id and answer to the body.
func (p *Person) Captcha(body map[string]any) map[string]any {
	p.t.Helper()
	if p.CaptchaAnswer == "" {
		return body
	}
	answer := p.Must(http.StatusCreated, http.MethodPost, "/v1/captchas", map[string]any{})
	body["captcha_id"], body["captcha"] = answer.Text("captcha_id"), p.CaptchaAnswer
	if challenge := answer.Data["challenge"]; challenge != nil {
		body["captcha"] = p.CaptchaAnswer + " " + p.work(challenge)
	}
	return body
}

// AskCode asks for an SMS code and returns its id.
func (p *Person) AskCode(mobile, purpose string) string {
	p.t.Helper()
	answer := p.Must(http.StatusAccepted, http.MethodPost, "/v1/sms-codes",
		p.Captcha(map[string]any{"mobile": mobile, "purpose": purpose}))
	return answer.Text("sms_code_id")
}

// Message is what the tests read of a message in the inbox.
type Message struct {
	Code  string   `json:"code"`
	Links []string `json:"links"`
}

// Inbox returns the messages to a number or an address.
func (p *Person) Inbox(to string) []Message {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet,
		p.sandbox+"/api/messages?to="+url.QueryEscape(to), http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := p.client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var list []Message
	if err := json.NewDecoder(io.LimitReader(response.Body, 10<<20)).Decode(&list); err != nil {
		p.t.Fatalf("read the inbox: %v", err)
	}
	return list
}

// ReadCode waits for the nth SMS to a number and returns its code.
func (p *Person) ReadCode(mobile string, nth int) string {
	p.t.Helper()
	return p.wait(mobile, nth).Code
}

// ReadToken waits for the nth mail to an address and returns the token of its link.
func (p *Person) ReadToken(email string, nth int) string {
	p.t.Helper()
	mail := p.wait(email, nth)
	if len(mail.Links) == 0 {
		p.t.Fatalf("mail to %s has no link", email)
	}
	link, err := url.Parse(mail.Links[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return link.Query().Get("token")
}

func (p *Person) wait(to string, nth int) Message {
	p.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if list := p.Inbox(to); len(list) >= nth {
			return list[nth-1]
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			p.t.Fatalf("message %d to %s did not arrive", nth, to)
		}
	}
}
