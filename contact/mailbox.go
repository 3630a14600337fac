package contact

import "strings"

// provider is how a mail provider reads its addresses, beyond the sub-addresses after a plus that most servers accept.
type provider struct {
	domain     string // the domain that all its domains are counted under
	dots       bool   // dots before the "@" do not count
	subdomains bool   // a@user.domain is user+a@domain
}

// providers lists the public providers whose mailboxes have several spellings, by their domains. Yahoo is not listed: the owner must
// create each further address first, so strangers cannot invent any. No source that we read names other spellings at QQ or 163.
var providers = map[string]provider{
	// Dots do not count and both domains are one: Google's help as others quote it, and the tables of email-normalize
	// (https://pypi.org/project/email-normalize/3.1.0/) and validator.js.
	"gmail.com":      {domain: "gmail.com", dots: true},
	"googlemail.com": {domain: "gmail.com", dots: true},
	// Subdomain addressing: https://www.fastmail.help/hc/en-us/articles/360060591053 and
	// https://fastmail.com/blog/two-address-resolving-additions.
	"fastmail.com": {domain: "fastmail.com", subdomains: true},
	"fastmail.fm":  {domain: "fastmail.fm", subdomains: true},
}

// Mailbox returns the address that all known spellings of a mailbox share: without sub-address, and without dots where the provider
// ignores them. It is for counting only: an account belongs to the full address, because another provider may give the spellings
// to different people. The zero Email has the mailbox "".
func (e Email) Mailbox() string {
	local, domain, found := strings.Cut(e.Reveal(), "@")
	if !found {
		return ""
	}
	if user, above, _ := strings.Cut(domain, "."); providers[above].subdomains {
		local, domain = user, above
	}
	if base, _, tagged := strings.Cut(local, "+"); tagged && base != "" { // RFC 5233 leaves the separator to servers; most use a plus
		local = base
	}
	p, public := providers[domain]
	if !public {
		return local + "@" + domain
	}
	if p.dots {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local + "@" + p.domain
}
