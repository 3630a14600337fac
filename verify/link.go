package verify

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"usher/contact"
	"usher/secrets"
)

// LinkKind is the kind of the token in a link that carries a code.
const LinkKind = "code"

// ErrLink is returned for a token that is not of a link with a code of ours.
var ErrLink = errors.New("link does not carry a code")

// Link is what a token stands for: a code that is already typed. Spend it with [Service.Spend] like one that a person has
// typed, so that code and link use up the same thing.
type Link struct {
	To        contact.Email
	Purpose   Purpose
	ID, Code  string
	ExpiresAt time.Time
}

// SealEmail seals the address of a code by mail, for its task and its link.
func SealEmail(keys *secrets.Keys, id string, to contact.Email) string {
	return keys.Seal(to.Reveal(), sealContext(id))
}

// OpenEmail opens what [SealEmail] has sealed for the code with this id.
func OpenEmail(keys *secrets.Keys, id, sealed string) (contact.Email, error) {
	address, err := keys.Open(sealed, sealContext(id))
	if err != nil {
		return contact.Email{}, err
	}
	return contact.ParseEmail(address)
}

// sealContext keeps a sealed address from being opened as that of another code.
func sealContext(id string) string { return "email:code/" + id }

// LinkToken returns the token of the link in the mail with the code. The same code and sealed address give the same token, so
// that each attempt to send the mail has the same link. The token ends with the code.
func LinkToken(keys *secrets.Keys, code Queued, sealed string) (string, error) {
	return keys.SignToken(code.KeyID, secrets.Token{
		Kind: LinkKind, Account: code.ID, Address: sealed, ExpiresAt: code.ExpiresAt,
		Purpose: string(code.Purpose), Length: code.Length, Alphabet: code.Alphabet,
	})
}

// ReadLink returns the code that a link carries. It asks no store and uses nothing up. It returns [ErrExpired] when the link's time
// is over, or a key of it was removed from the settings, and [ErrLink] for any other text that is no such token.
func (s *Service) ReadLink(token string) (Link, error) {
	parsed, err := s.Keys.ParseToken(token, s.Now())
	switch {
	case errors.Is(err, secrets.ErrUnknownKey), errors.Is(err, secrets.ErrExpired) && parsed.Kind == LinkKind:
		return Link{}, ErrExpired
	case err != nil, parsed.Kind != LinkKind:
		return Link{}, ErrLink
	}
	to, err := OpenEmail(s.Keys, parsed.Account, parsed.Address)
	if errors.Is(err, secrets.ErrUnknownKey) {
		return Link{}, ErrExpired
	}
	if err != nil {
		return Link{}, ErrLink
	}
	keyID, _, _ := strings.Cut(token, ".") // the key that signed the token has derived the code
	code, err := s.Keys.Code(Queued{
		ID: parsed.Account, KeyID: keyID, Purpose: Purpose(parsed.Purpose), To: to, Length: parsed.Length, Alphabet: parsed.Alphabet,
	}.Derivation())
	if err != nil {
		return Link{}, fmt.Errorf("read link: %w", err)
	}
	return Link{To: to, Purpose: Purpose(parsed.Purpose), ID: parsed.Account, Code: code, ExpiresAt: parsed.ExpiresAt}, nil
}
