package tokens

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"usher/config"
	"usher/contact"
	"usher/messages"
)

// Lives of tokens. Nothing revokes a token, so they are short.
const (
	SessionTTL = 5 * time.Minute
	ProofTTL   = 10 * time.Minute
)

// Types in the header of tokens.
const (
	sessionType = "usher-session+jwt"
	proofType   = "usher-proof+jwt"
)

// Issuer signs tokens and verifies its own. It is safe for concurrent use.
type Issuer struct {
	keys           *Keys
	name           string // iss
	now            func() time.Time
	session, proof jose.Signer
}

// New makes an issuer whose name is the public URL of the service.
func New(keys *Keys, name string, now func() time.Time) (*Issuer, error) {
	i := &Issuer{keys: keys, name: name, now: now}
	signer := func(tokenType jose.ContentType) (jose.Signer, error) {
		first := keys.ring[0]
		return jose.NewSigner(
			jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: first.private, KeyID: first.kid}},
			(&jose.SignerOptions{}).WithType(tokenType))
	}
	var err error
	if i.session, err = signer(sessionType); err != nil {
		return nil, err
	}
	if i.proof, err = signer(proofType); err != nil {
		return nil, err
	}
	return i, nil
}

// Keys returns the keys that verify what the issuer signs.
func (i *Issuer) Keys() *Keys { return i.keys }

// SessionClaims are what a session token says. The issuer sets ID and the times.
type SessionClaims struct {
	ID         string
	Audience   string // service that the token is for; no other may accept it
	Account    string // id of the account that is signed in
	Session    string // public id of the session, which opens nothing
	Generation int    // of the account's sessions; a password change starts a new one
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

// ProofClaims are what a proof says. The issuer sets ID and the times. Exactly one of Mobile and Email is set.
type ProofClaims struct {
	ID           string
	App          string // id of the app that the proof is for; no other may accept it
	Verification string // id of the verification
	Channel      messages.Channel
	Purpose      string
	Mobile       contact.Mobile
	Email        contact.Email
	Nonce        string // what the app gave when it started the verification
	IssuedAt     time.Time
	ExpiresAt    time.Time
}

// registered are the claims that all tokens have.
type registered struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	ID        string `json:"jti"`
}

type sessionBody struct {
	registered

	Session    string `json:"sid"`
	Generation int    `json:"gen"`
}

type proofBody struct {
	registered

	Channel string `json:"channel"`
	Purpose string `json:"purpose"`
	Mobile  string `json:"phone_number,omitempty"` // E.164
	Email   string `json:"email,omitempty"`
	Nonce   string `json:"nonce,omitempty"`
}

// Session signs a session token. It sets the claims' id and times.
func (i *Issuer) Session(c SessionClaims) (config.Secret, error) {
	return i.sign(i.session, sessionBody{
		registered: i.claims(c.Audience, c.Account, SessionTTL), Session: c.Session, Generation: c.Generation,
	})
}

// Proof signs a proof, and returns it with the id under which it can be redeemed once.
func (i *Issuer) Proof(c ProofClaims) (proof config.Secret, id string, err error) {
	body := proofBody{
		registered: i.claims(c.App, c.Verification, ProofTTL), Channel: string(c.Channel), Purpose: c.Purpose,
		Mobile: c.Mobile.E164(), Email: c.Email.Reveal(), Nonce: c.Nonce,
	}
	proof, err = i.sign(i.proof, body)
	return proof, body.ID, err
}

func (i *Issuer) claims(audience, subject string, life time.Duration) registered {
	now := i.now()
	return registered{
		Issuer: i.name, Audience: audience, Subject: subject, ID: rand.Text(),
		IssuedAt: now.Unix(), ExpiresAt: now.Add(life).Unix(),
	}
}

// sign refuses what no verifier would accept. The error quotes nothing of the body.
func (i *Issuer) sign(signer jose.Signer, body any) (config.Secret, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	text, err := signed.CompactSerialize()
	if err == nil && len(text) > maxToken {
		err = ErrTooLarge
	}
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return config.Secret(text), nil
}
