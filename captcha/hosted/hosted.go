// Package hosted is the seam for captchas of vendors: a vendor's script shows the challenge in the browser, and the API asks
// the vendor about the token that the script returns.
//
// A vendor is a package below this one with a [Verifier]. A [Guard] keeps its failures away from people: while the vendor
// cannot be asked, [Guard.Ready] is false and the API shows a captcha of package captcha instead. A failure of the vendor
// neither passes a client nor refuses it.
package hosted

import (
	"context"
	"errors"
	"net/netip"
)

// Verifier asks a vendor about tokens. It is safe for concurrent use.
type Verifier interface {
	// Verify reports whether a token answers a challenge of the vendor. The score is from 0, a program, to 1, a person; a
	// vendor that has none gives 0 or 1. The address is that of the client; a vendor whose contract has no field for it must
	// not get it. The error wraps one of the errors of this package and quotes no part of the token.
	Verify(ctx context.Context, token string, addr netip.Addr) (ok bool, score float64, err error)

	// ID returns what names a token at the vendor, so that two texts with the same token are known as one. It is false for
	// a text that is no token. The vendor is not asked.
	ID(token string) (string, bool)
}

// Errors of a [Verifier]: there is no answer to the question whether the token is right.
var (
	// ErrAway means that the vendor did not answer in time, or not with an answer of its protocol.
	ErrAway = errors.New("captcha vendor is unavailable")

	// ErrMisconfigured means that the vendor refuses our account, whatever the token.
	ErrMisconfigured = errors.New("captcha vendor refuses the settings")

	// ErrUnclear means that the vendor's answer is about this request and says neither yes nor no. A client can cause it, so
	// it does not count against the vendor.
	ErrUnclear = errors.New("captcha vendor's answer is unclear")
)

// Widget is what a page needs to show the vendor's challenge. All of it is public.
type Widget struct {
	Vendor    string // the kind of the challenge in the API: "geetest"
	CaptchaID string // our account at the vendor
	Script    string // URL of the vendor's script

	// Sources are what the frame with the challenge may load, in the form of a Content-Security-Policy. The script's own
	// origin is one of them.
	Sources []string
}
