package contact

import "strings"

// provider is how a mail provider reads the part of its addresses before the "@".
type provider struct {
	domain string // the one of its domains that all are counted as
	tag    string // what begins a sub-address; "" where the provider has none
	dots   bool   // dots do not count
}

// providers lists public providers by their domains.
var providers = map[string]provider{
	// Gmail ignores dots and what follows a plus; both domains are one.
	"gmail.com":      {"gmail.com", "+", true},
	"googlemail.com": {"gmail.com", "+", true},
	// Yahoo has sub-addresses behind a base name and a hyphen.
	"yahoo.com": {"yahoo.com", "-", false},
}

// Mailbox returns the address that all spellings of one mailbox share, as far as they are known: without sub-address,
// and without dots where the provider ignores them. It is for counting only: whose address it is decides the whole
// one, since another provider may give the spellings to different people. The zero Email has the mailbox "".
func (e Email) Mailbox() string {
	local, domain, found := strings.Cut(e.Reveal(), "@")
	if !found {
		return ""
	}
	p, public := providers[domain]
	if !public { // most servers take a plus: RFC 5233 leaves the sign to them
		p = provider{domain: domain, tag: "+"}
	}
	if base, _, tagged := strings.Cut(local, p.tag); tagged && base != "" {
		local = base
	}
	if p.dots {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local + "@" + p.domain
}
