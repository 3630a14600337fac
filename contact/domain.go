package contact

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// publicProviders are the domains of providers with so many users that thousands of registrations in an hour may have addresses at
// one of them. One site cannot overload their servers.
var publicProviders = map[string]bool{
	"qq.com": true, "foxmail.com": true, "163.com": true, "126.com": true, "yeah.net": true, "sina.com": true,
	"sina.cn": true, "sohu.com": true, "aliyun.com": true, "139.com": true, "189.cn": true, "21cn.com": true,
	"gmail.com": true, "googlemail.com": true, "outlook.com": true, "hotmail.com": true, "live.com": true, "msn.com": true,
	"icloud.com": true, "me.com": true, "yahoo.com": true, "proton.me": true, "protonmail.com": true,
}

// Domain returns the domain that the address is counted under: the registered one, such as corp.example of a@mail.corp.example,
// because a domain can have any number of subdomains. The zero Email has the domain "".
func (e Email) Domain() string {
	_, domain, _ := strings.Cut(e.Reveal(), "@")
	registered, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil { // the domain is itself a public suffix, such as gov.cn
		return domain
	}
	return registered
}

// PublicProvider reports whether the address belongs to a large public mail provider.
func (e Email) PublicProvider() bool { return publicProviders[e.Domain()] }
