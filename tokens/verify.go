package tokens

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"

	"usher/contact"
	"usher/messages"
)

// Reasons to refuse a token, one each. Their texts are constant: a token is never quoted.
var (
	ErrTooLarge   = errors.New("token is too large")
	ErrMalformed  = errors.New("token is malformed")
	ErrAlgorithm  = errors.New("token is not signed with ES256")
	ErrType       = errors.New("token is of another type")
	ErrUnknownKey = errors.New("token is signed with a key that is not configured")
	ErrSignature  = errors.New("token has a wrong signature")
	ErrIssuer     = errors.New("token is of another issuer")
	ErrAudience   = errors.New("token is for another audience")
	ErrExpired    = errors.New("token has expired")
	ErrEarly      = errors.New("token was issued in the future")
	ErrGeneration = errors.New("token is older than the account's password")
)

// maxToken bounds the input. The longest token of ours has an address of 254 characters, a purpose and a nonce, each of which may
// be escaped by JSON and is then written in base64.
const maxToken = 4096

// skew is how much a verifier's clock may be behind the issuer's.
const skew = time.Minute

// VerifySession returns the claims of a session token for an audience. A token of a generation before the given one is refused; 0
// accepts all.
func (i *Issuer) VerifySession(token, audience string, generation int) (SessionClaims, error) {
	var body sessionBody
	if err := i.verify(token, sessionType, &body); err != nil {
		return SessionClaims{}, err
	}
	if err := i.check(body.registered, audience); err != nil {
		return SessionClaims{}, err
	}
	if body.Generation < generation {
		return SessionClaims{}, ErrGeneration
	}
	return SessionClaims{
		ID: body.ID, Audience: body.Audience, Account: body.Subject, Session: body.Session, Generation: body.Generation,
		IssuedAt: time.Unix(body.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(body.ExpiresAt, 0).UTC(),
	}, nil
}

// VerifyProof returns the claims of a proof for an app. Whether it was redeemed before, the caller must find out by its ID.
func (i *Issuer) VerifyProof(token, app string) (ProofClaims, error) {
	var body proofBody
	if err := i.verify(token, proofType, &body); err != nil {
		return ProofClaims{}, err
	}
	if err := i.check(body.registered, app); err != nil {
		return ProofClaims{}, err
	}
	claims := ProofClaims{
		ID: body.ID, App: body.Audience, Verification: body.Subject, Channel: messages.Channel(body.Channel),
		Purpose: body.Purpose, Nonce: body.Nonce,
		IssuedAt: time.Unix(body.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(body.ExpiresAt, 0).UTC(),
	}
	var err error
	if body.Mobile != "" {
		claims.Mobile, err = contact.ParseMobile(body.Mobile)
	} else {
		claims.Email, err = contact.ParseEmail(body.Email)
	}
	if err != nil {
		return ProofClaims{}, ErrMalformed
	}
	return claims, nil
}

// verify checks the signature and the header, and decodes the body.
func (i *Issuer) verify(token, tokenType string, body any) error {
	if len(token) > maxToken {
		return ErrTooLarge
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if unexpected := (*jose.ErrUnexpectedSignatureAlgorithm)(nil); errors.As(err, &unexpected) {
		return ErrAlgorithm
	}
	if err != nil {
		return ErrMalformed
	}
	header := parsed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != tokenType {
		return ErrType
	}
	public, err := i.keys.find(header.KeyID)
	if err != nil {
		return err
	}
	payload, err := parsed.Verify(public)
	if err != nil {
		return ErrSignature
	}
	if json.Unmarshal(payload, body) != nil {
		return ErrMalformed
	}
	return nil
}

// check compares the claims that all tokens have with what the verifier expects.
func (i *Issuer) check(c registered, audience string) error {
	now := i.now()
	switch {
	case c.Issuer != i.name:
		return ErrIssuer
	case audience == "" || c.Audience != audience:
		return ErrAudience
	case !now.Before(time.Unix(c.ExpiresAt, 0)):
		return ErrExpired
	case now.Add(skew).Before(time.Unix(c.IssuedAt, 0)):
		return ErrEarly
	case c.Subject == "" || c.ID == "":
		return ErrMalformed
	}
	return nil
}
