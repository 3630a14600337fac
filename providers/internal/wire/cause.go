package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
)

// Causes of a failed exchange, in our own words.
var (
	ErrRefused     = errors.New("connection refused")
	ErrName        = errors.New("host name not resolved")
	ErrCertificate = errors.New("certificate not trusted")
	ErrTLS         = errors.New("tls handshake failed")
	ErrTimeout     = errors.New("timed out")
	ErrClosed      = errors.New("connection closed")
	ErrNetwork     = errors.New("network error")
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
