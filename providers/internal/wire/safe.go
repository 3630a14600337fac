package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"usher/messages"
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
	ErrPrivate     = reasons.New(reasons.PrivateAddress, "the host has a private address; see NewPublicClient")
)

// Cause turns a network error, whose text may quote addresses, numbers and keys, into the error of the context or one of this
// package's sentinels.
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
	case errors.Is(err, ErrPrivate):
		return ErrPrivate
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

// Code returns a vendor's code made safe to store and log: its letters, digits, dots, underscores and hyphens, at most 64. It
// is empty when the code contains one of the private texts, because vendors may quote what they were sent.
func Code(code string, private ...string) string { return clean(code, "._-", private) }

// ID returns a vendor's message id made safe to store and log: as [Code], with the caret that Aliyun writes into its BizId and
// the colon of Tencent's SerialNo. A code of six digits is not private here, because one id in seventy thousand contains it by
// chance.
func ID(id string, private ...string) string { return clean(id, "._-^:", private) }

// clean looks for private texts in what is kept, because removed characters may have separated one.
func clean(text, punctuation string, private []string) string {
	text = messages.Keep(text, maxToken, punctuation)
	for _, p := range private {
		if p != "" && strings.Contains(text, messages.Keep(p, maxToken, punctuation)) {
			return ""
		}
	}
	return text
}
