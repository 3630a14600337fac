package providers

import (
	"context"
	"errors"
)

// Prover is a sender that can try its credentials without sending anything.
type Prover interface {
	// Prove asks the vendor for something that it gives, or refuses for another reason, only to who has signed
	// rightly. It sends no message and takes no report away. A nil error proves the credentials; any other is an
	// [*Error] as of a send, around [ErrPermission] when the credentials are right and may do less than they should.
	Prove(ctx context.Context) error
}

// ErrPermission is the cause of an error about credentials that may send although they may not do all.
var ErrPermission = errors.New("the credentials are right and lack a permission")
