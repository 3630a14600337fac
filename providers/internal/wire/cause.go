package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
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
