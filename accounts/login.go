package accounts

import (
	"strconv"

	"usher/contact"
	"usher/verify"
)

// LoginSubject returns the name under which uses of a login are counted and remembered. It is the same for every spelling. The
// kind of login is part of it: the canonical form of a user name may be a number, and the owner of the name must not count as
// the owner of that number.
func LoginSubject(regions contact.Regions, login string) string {
	if email, err := contact.ParseEmail(login); err == nil {
		return ContactSubject(email)
	}
	if mobile, err := regions.ParseAny(login); err == nil {
		return ContactSubject(mobile)
	}
	if _, canonical, ok := CanonicalUsername(login); ok {
		return "username " + canonical
	}
	return "other " + login // no account can have such a name; it is counted like all others
}

// ContactSubject is LoginSubject for a number or an address.
func ContactSubject(to verify.Recipient) string {
	if _, byMail := to.(contact.Email); byMail {
		return "email " + to.Reveal()
	}
	return "mobile " + to.Reveal()
}

// SessionOwner names the owner of a session: an account in one generation of its sessions. A password change makes a new owner,
// whose list of sessions is empty.
func SessionOwner(account string, generation int) string {
	return account + "/" + strconv.Itoa(generation)
}
