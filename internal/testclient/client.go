// Package testclient walks through a sign-up as a frontend would: over HTTP, with a cookie jar, reading codes
// and links in the sandbox's inbox. The end-to-end tests share it.
package testclient

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a person waits for a message; far longer than it ever takes, for slow machines.
const patience = 2 * time.Minute

// Client is one browser. It is not safe for concurrent use.
type Client struct {
	t       testing.TB
	api     string
	sandbox string
	client  *http.Client
	codes   sync.Map // ids of the codes that were asked for last, by number

	// CaptchaAnswer answers every captcha; empty where captchas are off.
	CaptchaAnswer string
}

// New returns a person in front of an API, both addresses as host:port.
func New(t testing.TB, api, sandbox string) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 100} // a crowd that is one person keeps its connections too
	client := &http.Client{Transport: transport, Jar: jar, Timeout: patience}
	t.Cleanup(client.CloseIdleConnections)
	return &Client{t: t, api: "http://" + api, sandbox: "http://" + sandbox, client: client}
}

// At returns the same browser, with its cookies, in front of another API.
func (c *Client) At(api string) *Client {
	return &Client{t: c.t, api: "http://" + api, sandbox: c.sandbox, client: c.client, CaptchaAnswer: c.CaptchaAnswer}
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
func (c *Client) Do(method, path string, body any) Answer {
	c.t.Helper()
	answer, err := c.Try(c.t.Context(), method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// Try is Do for requests that may fail, and for other goroutines than the test's. As a frontend does, it adds the id
// of the code that this person asked for last to a body that has a code and no id.
func (c *Client) Try(ctx context.Context, method, path string, body any) (Answer, error) {
	fields, _ := body.(map[string]any)
	if _, chosen := fields["sms_code_id"]; !chosen && (fields["sms_code"] != nil || path == "/v1/sms-codes/check") {
		fields = maps.Clone(fields)
		fields["sms_code_id"], _ = c.codes.Load(fields["mobile"])
		body = fields
	}
	answer, err := c.request(ctx, method, path, body)
	if id := answer.Text("sms_code_id"); id != "" {
		c.codes.Store(fields["mobile"], id)
	}
	return answer, err
}

func (c *Client) request(ctx context.Context, method, path string, body any) (Answer, error) {
	var reader io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return Answer{}, err
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.api+path, reader)
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return c.send(request)
}

func (c *Client) send(request *http.Request) (Answer, error) {
	response, err := c.client.Do(request)
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
func (c *Client) Must(status int, method, path string, body any) Answer {
	c.t.Helper()
	answer := c.Do(method, path, body)
	if answer.Status != status {
		c.t.Fatalf("%s %s = %d %s, want %d", method, path, answer.Status, answer.Body, status)
	}
	return answer
}

// Captcha asks for a captcha and adds its id and answer to the body.
func (c *Client) Captcha(body map[string]any) map[string]any {
	c.t.Helper()
	if c.CaptchaAnswer == "" {
		return body
	}
	answer := c.Must(http.StatusCreated, http.MethodPost, "/v1/captchas", map[string]any{})
	body["captcha_id"], body["captcha"] = answer.Text("captcha_id"), c.CaptchaAnswer
	if challenge := answer.Data["challenge"]; challenge != nil {
		body["captcha"] = c.CaptchaAnswer + " " + c.work(challenge)
	}
	return body
}

// AskCode asks for an SMS code and returns its id.
func (c *Client) AskCode(mobile, purpose string) string {
	c.t.Helper()
	answer := c.Must(http.StatusAccepted, http.MethodPost, "/v1/sms-codes",
		c.Captcha(map[string]any{"mobile": mobile, "purpose": purpose}))
	return answer.Text("sms_code_id")
}

// AskMailCode asks for a code by mail and returns its id.
func (c *Client) AskMailCode(email, purpose string) string {
	c.t.Helper()
	answer := c.Must(http.StatusAccepted, http.MethodPost, "/v1/email-codes",
		c.Captcha(map[string]any{"email": email, "purpose": purpose}))
	return answer.Text("email_code_id")
}

// Message is what the tests read of a message in the inbox.
type Message struct {
	Code  string   `json:"code"`
	Text  string   `json:"text"`
	Links []string `json:"links"`
}

// Inbox returns the messages to a number or an address.
func (c *Client) Inbox(to string) []Message {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet,
		c.sandbox+"/api/messages?to="+url.QueryEscape(to), http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := c.client.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var list []Message
	if err := json.NewDecoder(io.LimitReader(response.Body, 10<<20)).Decode(&list); err != nil {
		c.t.Fatalf("read the inbox: %v", err)
	}
	return list
}

// ReadCode waits for the nth SMS to a number and returns its code.
func (c *Client) ReadCode(mobile string, nth int) string {
	c.t.Helper()
	return c.wait(mobile, nth).Code
}

// ReadToken waits for the nth mail to an address and returns the token of its link.
func (c *Client) ReadToken(email string, nth int) string {
	c.t.Helper()
	mail := c.wait(email, nth)
	if len(mail.Links) == 0 {
		c.t.Fatalf("mail to %s has no link", email)
	}
	link, err := url.Parse(mail.Links[0])
	if err != nil {
		c.t.Fatal(err)
	}
	return link.Query().Get("token")
}

// ReadMailCode waits for the nth mail to an address and returns its code, which stands on a line of its own, and the token of the
// button beside it.
func (c *Client) ReadMailCode(email string, nth int) (code, token string) {
	c.t.Helper()
	token = c.ReadToken(email, nth)
	code = mailCode.FindString(c.wait(email, nth).Text)
	if code = strings.TrimSpace(code); code == "" {
		c.t.Fatalf("mail %d to %s has no code", nth, email)
	}
	return code, token
}

// mailCode is the line of a code: digits, or capital letters and digits.
var mailCode = regexp.MustCompile(`(?m)^ +[0-9A-Z]{6,8}\r?$`)

// wait polls the inbox for the nth message; the sandbox has nothing to subscribe to.
func (c *Client) wait(to string, nth int) Message {
	c.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if list := c.Inbox(to); len(list) >= nth {
			return list[nth-1]
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			c.t.Fatalf("message %d to %s did not arrive", nth, to)
		}
	}
}
