package providers

import (
	"context"
	"errors"
)

// CredentialChecker is a sender that can try its credentials without sending anything.
type CredentialChecker interface {
	// CheckCredentials asks the vendor for something that it gives, or refuses for another reason, only to who has signed
	// rightly. It sends no message and takes no report away. A nil error proves the credentials; any other is an
	// [*Error] as of a send, around [ErrPermission] when the credentials are right and may do less than they should.
	CheckCredentials(ctx context.Context) error
}

// ErrPermission is the cause of an error about credentials that may send although they may not do all.
var ErrPermission = errors.New("the credentials are right and lack a permission")

// Prober is an [SMSSender] that can try whether the vendor takes messages, without one.
type Prober interface {
	// Probe goes the way of a send with a message to no number, which the vendor must refuse for that. A nil
	// error is that refusal; any other is an [*Error] as of a send.
	Probe(ctx context.Context) error
}

// Wrapper is a sender around another, whose capabilities stay its own.
type Wrapper interface{ Unwrap() SMSSender }

// proberOf returns what can try the sender, if anything can.
func proberOf(sender SMSSender) Prober {
	for {
		if prober, ok := sender.(Prober); ok {
			return prober
		}
		wrapper, ok := sender.(Wrapper)
		if !ok {
			return nil
		}
		sender = wrapper.Unwrap()
	}
}
