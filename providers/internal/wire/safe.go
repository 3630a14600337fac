package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"usher/reasons"
)

// Causes of a failed exchange, in our own words.
var (
	ErrRefused     = reasons.New(reasons.ConnectionRefused, "connection refused")
	ErrName        = reasons.New(reasons.NameNotResolved, "host name not resolved")
	ErrCertificate = reasons.New(reasons.Certificate, "certificate not trusted")
	ErrTLS         = reasons.New(reasons.TLSFailed, "tls handshake failed")
	ErrTimeout     = reasons.New(reasons.Timeout, "timed out")
	ErrClosed      = reasons.New(reasons.ConnectionClosed, "connection closed")
	ErrNetwork     = reasons.New(reasons.NetworkError, "network error")
)

// Cause turns a network error, whose text may quote addresses, numbers and keys, into the end of the
// context or one of this package's sentinels.
func Cause(ctx context.Context, err error) error {
	var (
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		timeout     net.Error
	)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED):
		return ErrRefused
	case errors.As(err, &name):
		return ErrName
	case errors.As(err, &certificate):
		return ErrCertificate
	case errors.As(err, &record), errors.As(err, &alert):
		return ErrTLS
	case errors.As(err, &timeout) && timeout.Timeout():
		return ErrTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrClosed
	default:
		return ErrNetwork
	}
}

// maxToken bounds what is kept of a vendor's codes and ids.
const maxToken = 64

// Code returns a vendor's code made safe to store and log: its letters, digits, dots, underscores and
// hyphens, 64 at most. It is empty when the code holds one of the private texts, because a vendor may
// well quote what it was sent.
func Code(code string, private ...string) string { return clean(code, "._-", private) }

// ID returns a vendor's message id made safe to store and log: as [Code], and a caret, which Aliyun
// writes into its BizId. A code of six digits is not private here: one id in seventy thousand holds it by chance.
func ID(id string, private ...string) string { return clean(id, "._-^", private) }

// clean looks for private texts in what is kept: what is left out may have hidden one.
func clean(text, punctuation string, private []string) string {
	text = keep(text, punctuation)
	for _, p := range private {
		if p != "" && strings.Contains(text, keep(p, punctuation)) {
			return ""
		}
	}
	return text
}

func keep(text, punctuation string) string {
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() < maxToken; i++ {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte(punctuation, c) >= 0 {
			b.WriteByte(c)
		}
	}
	return b.String()
}
