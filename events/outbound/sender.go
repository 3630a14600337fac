package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"usher/events"
	"usher/webhooks"
)

const (
	// Timeout bounds an attempt: connection, request and answer. The specification wants 15 to 30 s.
	Timeout = 15 * time.Second

	// maxAnswer is how much of an answer is read, and bodyTimeout for how long: the status alone counts, and a connection whose
	// answer was read can be used again.
	maxAnswer   = 64 << 10
	bodyTimeout = 2 * time.Second

	maxHeader = 16 << 10
	idleConns = 8 // per endpoint
	userAgent = "Usher-Events/1"
)

// Sender sends events. It is safe for concurrent use; make it with [NewSender].
type Sender struct {
	encrypted, plain *http.Client
	timeout          time.Duration
	now              func() time.Time
}

// Settings are those of a [Sender]. The zero value has the defaults.
type Settings struct {
	Guard    Guard
	Timeout  time.Duration    // 0 is [Timeout]
	Now      func() time.Time // for the timestamp of an attempt; nil is time.Now
	Resolver *net.Resolver    // of tests
	Roots    *x509.CertPool   // of tests
}

// NewSender makes a sender.
func NewSender(s Settings) *Sender {
	sender := &Sender{encrypted: s.client(false), plain: s.client(true), timeout: s.Timeout, now: s.Now}
	if sender.timeout == 0 {
		sender.timeout = Timeout
	}
	if sender.now == nil {
		sender.now = time.Now
	}
	return sender
}

// client makes a client that follows no redirect and uses no proxy of the environment: both would lead around the guard.
func (s Settings) client(plain bool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, ControlContext: s.Guard.control(plain), Resolver: s.Resolver}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.Roots},
			TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
			MaxIdleConns: 256, MaxIdleConnsPerHost: idleConns, IdleConnTimeout: time.Minute,
		},
	}
}

// Close closes idle connections.
func (s *Sender) Close() {
	s.encrypted.CloseIdleConnections()
	s.plain.CloseIdleConnections()
}

// Send makes one attempt. It returns an answer whatever happens, and within the time-out.
func (s *Sender) Send(ctx context.Context, url string, keys webhooks.Keys, id string, body []byte) events.Answer {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return events.Answer{Result: events.Forbidden}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent)
	keys.Sign(request.Header, id, s.now(), body)
	client := s.encrypted
	if request.URL.Scheme == "http" {
		client = s.plain
	}
	response, err := client.Do(request) //nolint:bodyclose // readSome closes it
	if err != nil {
		return events.Answer{Result: resultOf(ctx, err)}
	}
	readSome(response.Body)
	return events.Answer{
		Result: events.Judge(response.StatusCode), Status: response.StatusCode, RetryAfter: s.retryAfter(response.Header),
	}
}

// readSome reads the beginning of an answer, which may have no end, and closes it.
func readSome(body io.ReadCloser) {
	timer := time.AfterFunc(bodyTimeout, func() { _ = body.Close() })
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, body, maxAnswer)
	_ = body.Close()
}

// resultOf says in one word why there was no answer.
func resultOf(ctx context.Context, err error) events.Result {
	var invalid *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var network net.Error
	switch {
	case errors.Is(err, ErrForbidden):
		return events.Forbidden
	case errors.Is(context.Cause(ctx), context.Canceled):
		return events.Interrupted
	case errors.As(err, &invalid), errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return events.BadTLS
	case errors.As(err, &network) && network.Timeout(), ctx.Err() != nil:
		return events.Timeout
	default:
		return events.Unreachable
	}
}

// retryAfter reads the header: seconds, or a time.
func (s *Sender) retryAfter(header http.Header) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(events.MaxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(s.now()), 0), events.MaxRetryAfter)
	}
	return 0
}
