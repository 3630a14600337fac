package wire_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"usher/providers"
	"usher/providers/internal/wire"
)

func TestCause_quotesNothing(t *testing.T) {
	t.Parallel()
	const secret = "13800138000"
	for _, row := range []struct {
		err  error
		want error
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, wire.ErrRefused},
		{&net.DNSError{Name: secret, Err: "no such host"}, wire.ErrName},
		{&tls.CertificateVerificationError{Err: errors.New(secret)}, wire.ErrCertificate},
		{tls.RecordHeaderError{Msg: secret}, wire.ErrTLS},
		{tls.AlertError(40), wire.ErrTLS},
		{&net.OpError{Op: "read", Err: context.DeadlineExceeded}, wire.ErrTimeout},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, wire.ErrClosed},
		{io.EOF, wire.ErrClosed},
		{io.ErrUnexpectedEOF, wire.ErrClosed},
		{errors.New(secret), wire.ErrNetwork},
	} {
		err := &url.Error{Op: "Post", URL: "https://vendor.example/?PhoneNumbers=" + secret, Err: row.err}
		if got := wire.Cause(t.Context(), err); got != row.want { //nolint:errorlint // nothing may wrap it
			t.Errorf("got %v for %v, want %v", got, row.err, row.want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := wire.Cause(ended, io.EOF); got != context.Canceled { //nolint:errorlint // nothing may wrap it
		t.Errorf("got %v after the end of the context, want context.Canceled", got)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestDo_foreignTransport checks that a transport without hooks is trusted with nothing.
func TestDo_foreignTransport(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("lost")
	})}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://vendor.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = wire.Call(&wire.Vendor{HTTP: client}, req, nil)
	if err == nil || providers.KindOf(err) != providers.Unknown {
		t.Errorf("got %v, want unknown", err)
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ code, want string }{
		{"isv.BUSINESS_LIMIT_CONTROL", "isv.BUSINESS_LIMIT_CONTROL"},
		{"550-5.7.1", "550-5.7.1"},
		{"a b\r\n\x00<c>验", "abc"},
		{strings.Repeat("x", 100), strings.Repeat("x", 64)},
		{"to13800138000", ""},
		{"to138 0013-8000", "to1380013-8000"},
		{"to138<>00138000", ""},
		{"", ""},
	} {
		if got := wire.Code(row.code, "", "13800138000"); got != row.want {
			t.Errorf("got %q for %q, want %q", got, row.code, row.want)
		}
	}
	for id, want := range map[string]string{
		"900619746936498440^0\n": "900619746936498440^0", "5000:1045": "5000:1045", "13800138000": "", "id-138001Ç38000": "", "138001^38000": "138001^38000",
	} {
		if got := wire.ID(id, "13800138000"); got != want {
			t.Errorf("got %q for %q, want %q", got, id, want)
		}
	}
}

func TestMinutes(t *testing.T) {
	t.Parallel()
	for ttl, want := range map[time.Duration]string{
		5 * time.Minute: "5", 5*time.Minute - 200*time.Millisecond: "5", 4*time.Minute + 20*time.Second: "4",
		20 * time.Second: "1", 0: "1", -time.Minute: "1",
	} {
		if got := wire.Minutes(ttl); got != want {
			t.Errorf("got %s for %v, want %s", got, ttl, want)
		}
	}
}

func TestAnswer_Err(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{200: "answer cannot be read", 503: "http status 503", 307: "http status 307"} {
		if got := fmt.Sprint(wire.Answer{Status: status}.Err()); got != want {
			t.Errorf("got %q for %d, want %q", got, status, want)
		}
	}
}
