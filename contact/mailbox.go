package contact

import "strings"

// provider is how a mail provider reads its addresses, beyond the sub-addresses behind a plus that most servers take.
type provider struct {
	domain     string // the one of its domains that all are counted as
	dots       bool   // dots before the "@" do not count
	subdomains bool   // a@user.domain is user+a@domain
}

// providers lists public providers by their domains, with what makes their mailboxes have more spellings. Yahoo is not
// among them: the owner has to make each of its further addresses first, so strangers cannot invent any. No source that we
// read names other spellings at QQ or 163.
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

// Mailbox returns the address that all spellings of one mailbox share, as far as they are known: without sub-address,
// and without dots where the provider ignores them. It is for counting only: whose address it is decides the whole
// one, since another provider may give the spellings to different people. The zero Email has the mailbox "".
func (e Email) Mailbox() string {
	local, domain, found := strings.Cut(e.Reveal(), "@")
	if !found {
		return ""
	}
	if user, above, _ := strings.Cut(domain, "."); providers[above].subdomains {
		local, domain = user, above
	}
	if base, _, tagged := strings.Cut(local, "+"); tagged && base != "" { // RFC 5233 leaves the sign to servers; most take a plus
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
