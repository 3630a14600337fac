package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// request is one request without its address. A body has a media type; the cookie may be empty, and so may the address of
// the client that a proxy would name.
type request struct{ method, path, media, body, cookie, from string }

// typeJSON is the media type of our own requests; a peer may have another one.
const typeJSON = "application/json"

// get is a request without a body.
func get(path string) request { return request{method: http.MethodGet, path: path} }

// post is a request with a JSON body.
func post(path, body string) request {
	return request{method: http.MethodPost, path: path, media: typeJSON, body: body}
}

// as is the same request with a cookie.
func (r request) as(cookie string) request {
	r.cookie = cookie
	return r
}

// fillIn replaces the placeholders of a peer's request.
func fillIn(template string, n int) string {
	if !strings.Contains(template, "{") {
		return template
	}
	return strings.NewReplacer(
		"{mobile}", mobileOf(n), "{username}", usernameOf(n), "{email}", emailOf(n), "{n}", fmt.Sprint(n),
	).Replace(template)
}

// refusal is an answer without the text of a good one, whatever its status, unless it is a failure of the server.
type refusal struct{ body string }

func (r refusal) Error() string { return fmt.Sprintf("refused: %.200s", r.body) }

// client is one caller with one connection, which stays open between requests. It is fasthttp's: the generator
// shares its cores with the measured programs, and net/http's client takes as much of them as the server does.
// It is for one goroutine.
type client struct {
	fasthttp.HostClient

	deadline time.Time // of every request
	good     string    // text in the body of a good answer; empty where the status alone tells
	request  fasthttp.Request
	response fasthttp.Response
}

// newClient returns a client that connects at its first request. Every request ends by the deadline, so that a server
// that hangs fails the run instead of holding it up.
func newClient(addr string, deadline time.Time) *client {
	c := &client{deadline: deadline}
	c.Addr, c.MaxConns = addr, 1
	c.MaxIdemponentCallAttempts = 1 // a repeated request would hide a broken connection
	c.MaxIdleConnDuration = 2 * patience
	return c
}

// do sends a request and returns the status of the answer. The error is a [refusal] where its body has not the text of a good one.
func (c *client) do(r request) (status int, err error) {
	c.request.Reset()
	c.request.Header.SetMethod(r.method)
	c.request.SetRequestURI("http://" + c.Addr + r.path)
	if r.body != "" {
		c.request.Header.SetContentType(r.media)
		c.request.SetBodyString(r.body)
	}
	if r.cookie != "" {
		c.request.Header.Set("Cookie", r.cookie)
	}
	if r.from != "" {
		c.request.Header.Set("X-Forwarded-For", r.from)
	}
	err = c.DoDeadline(&c.request, &c.response, c.deadline)
	status = c.response.StatusCode()
	if err == nil && status < http.StatusInternalServerError && !bytes.Contains(c.response.Body(), []byte(c.good)) {
		err = refusal{string(c.response.Body())}
	}
	return status, err
}

// fetch returns the body of an answer of status 200, on a connection of its own.
func fetch(addr, path string, within time.Duration) ([]byte, error) {
	c := newClient(addr, time.Now().Add(within))
	defer c.CloseIdleConnections()
	status, err := c.do(get(path))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answers %d: %.200s", path, status, c.response.Body())
	}
	return c.response.Body(), err
}

// open connects now; without it the first request connects.
func (c *client) open(ctx context.Context) error {
	conn, err := (&net.Dialer{Deadline: c.deadline}).DialContext(ctx, "tcp", c.Addr)
	c.Dial = func(addr string) (net.Conn, error) {
		if first := conn; first != nil {
			conn = nil
			return first, nil
		}
		return fasthttp.Dial(addr)
	}
	return err
}
