// Package wire is what the clients of all vendors share: settings and their checks (vendor.go), one request that is sent once
// (wire.go) on connections of our own (client.go), and failures in words that are safe to log (safe.go).
package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"usher/providers"
	"usher/reasons"
)

// maxAnswer bounds a vendor's answer. Real ones have a few hundred bytes.
const maxAnswer = 64 << 10

var (
	errTooLong = reasons.New(reasons.BadAnswer, "answer is too long")
	errAnswer  = reasons.New(reasons.BadAnswer, "answer cannot be read")
)

// Answer is a vendor's answer of any status.
type Answer struct {
	Status     int
	Body       []byte
	RetryAfter time.Duration // of the header Retry-After; 0 without one
}

// OK reports whether the status is 2xx.
func (a Answer) OK() bool { return a.Status/100 == 2 }

// Err is the cause of an error when the body has no code: the status, or for 2xx that the answer cannot be read.
func (a Answer) Err() error {
	if a.OK() {
		return errAnswer
	}
	return reasons.New(reasons.HTTPStatus, fmt.Sprintf("http status %d", a.Status))
}

// Call sends the request once under its context and reads a bounded answer. The error is a [providers.Error]: Temporary when
// the request certainly did not leave, Unknown otherwise. Its text does not quote the request's address, as *url.Error does,
// since the address contains number, code and signature. buildErr is why the request could not be built; it is not quoted
// either, because it may contain the request's parameters.
func Call(v *Vendor, req *http.Request, buildErr error) (Answer, error) {
	refused := func(kind providers.Kind, err error) (Answer, error) {
		return Answer{}, &providers.Error{Provider: v.name, Kind: kind, Err: err}
	}
	if buildErr != nil {
		return refused(providers.Misconfigured, ErrRequest)
	}
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return refused(providers.Temporary, err)
	}
	var connecting atomic.Bool
	var limit deadline
	at, limited := ctx.Deadline()
	limit.at = at
	trace := &httptrace.ClientTrace{
		// The two hooks enclose each search for a connection, with dial and TLS. Until its end nothing of the request was
		// written. After that the request counts as written: a hook at the write itself would race with the return of a
		// cancelled request.
		GetConn: func(string) { connecting.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			connecting.Store(false)
			if limited {
				limit.bind(info)
			}
		},
	}
	resp, err := v.HTTP.Do(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		kind, cause := providers.Unknown, Cause(ctx, err)
		switch {
		case errors.Is(cause, ErrPrivate):
			kind = providers.Misconfigured
		case connecting.Load() || limit.tooLate():
			kind = providers.Temporary
		}
		return refused(kind, cause)
	}
	defer func() { _ = resp.Body.Close() }() // what was read is all that counts

	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return refused(providers.Unknown, Cause(ctx, err))
	case len(body) > maxAnswer:
		return refused(providers.Unknown, errTooLong)
	}
	return Answer{Status: resp.StatusCode, Body: body, RetryAfter: retryAfter(resp.Header)}, nil
}

// Exchange is [Call] about a message or a query, whose answer read turns into the result.
func Exchange[Q, R any](v *Vendor, req *http.Request, buildErr error, about Q, read func(Q, Answer) (R, error)) (result R, err error) {
	answer, err := Call(v, req, buildErr)
	if err != nil {
		return result, err
	}
	return read(about, answer)
}

// retryAfter reads the seconds of a Retry-After header. The form with a date is not read: few servers send it, and it needs
// equal clocks.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(header.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
