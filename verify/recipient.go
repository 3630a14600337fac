package verify

import (
	"usher/contact"
	"usher/messages"
	"usher/secrets"
)

// Recipient is the number or address that a code is sent to and proves: a [contact.Mobile] or a [contact.Email].
type Recipient interface {
	Reveal() string
	String() string
	IsZero() bool
}

// ChannelOf returns the channel on which a code reaches the recipient, or "" for nil, a zero value and any other type.
func ChannelOf(to Recipient) messages.Channel {
	switch to := to.(type) {
	case contact.Mobile:
		if !to.IsZero() {
			return messages.SMS
		}
	case contact.Email:
		if !to.IsZero() {
			return messages.Email
		}
	}
	return ""
}

// addressMark precedes an address in derivations and is part of no number, so that no number has the MACs of an address.
const addressMark = "email:"

// derived returns the recipient as codes and MACs are derived from it. A number has no mark: codes had none before there were
// codes by mail.
func derived(to Recipient) string {
	if ChannelOf(to) == messages.Email {
		return addressMark + to.Reveal()
	}
	return to.Reveal()
}

// SubjectFor returns the keyed hash of a recipient, which its codes, pause and limits belong to. All spellings of a mailbox are one
// subject, because they are read by the same person: another spelling brings no further codes. A code is still valid for the
// spelling alone that it was sent to.
func SubjectFor(keys *secrets.Keys, to Recipient) string {
	if email, ok := to.(contact.Email); ok {
		return keys.Index("email", email.Mailbox())
	}
	return keys.Index("mobile", to.Reveal())
}

func (s *Service) subject(to Recipient) string { return SubjectFor(s.Keys, to) }
