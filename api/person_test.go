package api_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// person is a client: a browser or a program.
type person struct {
	b      *bundle
	client *http.Client
	header http.Header // goes with every request
}

// body is a JSON object.
type body map[string]any

// reply is an answer, read.
type reply struct {
	t         testing.TB
	status    int
	header    http.Header
	text      string
	Errno     string            `json:"errno"`
	Errmsg    string            `json:"errmsg"`
	Data      map[string]any    `json:"data"`
	Fields    map[string]string `json:"fields"`
	RequestID string            `json:"request_id"`
}

// request is what does not fit the usual form.
type request struct {
	method, path, contentType, text string
	header                          http.Header
}

func (p *person) do(r request) *reply {
	p.b.t.Helper()
	req := must(http.NewRequestWithContext(p.b.t.Context(), r.method, p.b.server.URL+r.path, strings.NewReader(r.text)))(p.b.t)
	for _, header := range []http.Header{p.header, r.header} {
		maps.Copy(req.Header, header)
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	res := must(p.client.Do(req))(p.b.t)
	defer func() { _ = res.Body.Close() }()
	text := must(io.ReadAll(res.Body))(p.b.t)
	answer := &reply{t: p.b.t, status: res.StatusCode, header: res.Header, text: string(text)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && len(text) > 0 {
		if err := json.Unmarshal(text, answer); err != nil {
			p.b.t.Fatalf("%s %s: %v in %s", r.method, r.path, err, text)
		}
	}
	return answer
}

func (p *person) post(path string, b body) *reply {
	p.b.t.Helper()
	text := must(json.Marshal(p.withCodeID(path, b)))(p.b.t)
	return p.do(request{method: "POST", path: path, contentType: "application/json", text: string(text)})
}

// withCodeID adds to a body with a code the id that the answer to its sending named, unless the test has chosen one.
func (p *person) withCodeID(path string, b body) body {
	_, entered := b["sms_code"]
	if _, chosen := b["sms_code_id"]; chosen || !entered && path != "/v1/sms-codes/check" {
		return b
	}
	b = maps.Clone(b)
	b["sms_code_id"] = p.b.codeID(b["mobile"])
	return b
}

func (p *person) get(path string) *reply {
	p.b.t.Helper()
	return p.do(request{method: "GET", path: path})
}

func (p *person) delete(path string) *reply {
	p.b.t.Helper()
	return p.do(request{method: "DELETE", path: path})
}

// submit sends a form as a browser without a script does.
func (p *person) submit(path string, form url.Values) *reply {
	p.b.t.Helper()
	return p.do(request{
		method: "POST", path: path, contentType: "application/x-www-form-urlencoded", text: form.Encode(),
		header: http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {"same-origin"}},
	})
}

// changes sends a form of /account that makes a change, and returns the page that follows.
func (p *person) changes(form url.Values) *reply {
	p.b.t.Helper()
	p.submit("/account", form).wantSeeOther("/account")
	return p.get("/account")
}

// want ends the test unless the answer has this status and errno.
func (r *reply) want(status int, errno string) *reply {
	r.t.Helper()
	if r.status != status || r.Errno != errno {
		r.t.Fatalf("got %d, errno %s; want %d, errno %s: %s", r.status, r.Errno, status, errno, shorten(r.text))
	}
	return r
}

// wantPage ends the test unless the answer is a page with this status that holds the text.
func (r *reply) wantPage(status int, text string) *reply {
	r.t.Helper()
	if r.status != status || !strings.Contains(r.text, text) {
		r.t.Fatalf("got %d, want %d and a page with %q: %s", r.status, status, text, r.text)
	}
	return r
}

func (r *reply) str(name string) string {
	r.t.Helper()
	text, ok := r.Data[name].(string)
	if !ok {
		r.t.Fatalf("data.%s is not a text: %s", name, shorten(r.text))
	}
	return text
}

func shorten(text string) string { return text[:min(len(text), 600)] }

// captcha asks a challenge and returns its id.
func (p *person) captcha() string {
	p.b.t.Helper()
	return p.post("/v1/captchas", body{}).want(201, "0").str("captcha_id")
}

// code has a code sent and returns it.
func (p *person) code(mobile, purpose string) string {
	p.b.t.Helper()
	id, answer := p.priced("normal")
	p.post("/v1/sms-codes", body{"mobile": mobile, "purpose": purpose, "captcha_id": id, "captcha": answer}).want(202, "0")
	return p.b.lastCode()
}

// signUp registers an account with a number; the person is signed in then.
func (p *person) signUp(username, mobile string) *reply {
	p.b.t.Helper()
	return p.post("/v1/registrations", body{
		"username": username, "password": password, "password_repeat": password, "agree": true,
		"mobile": mobile, "sms_code": p.code(mobile, "register"),
	}).want(201, "0")
}
