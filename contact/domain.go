package contact

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// publicProviders are the domains of providers at which so many people have addresses that a site's busiest hour may
// bring thousands to one of them, and whose servers one site cannot flood.
var publicProviders = map[string]bool{
	"qq.com": true, "foxmail.com": true, "163.com": true, "126.com": true, "yeah.net": true, "sina.com": true,
	"sina.cn": true, "sohu.com": true, "aliyun.com": true, "139.com": true, "189.cn": true, "21cn.com": true,
	"gmail.com": true, "googlemail.com": true, "outlook.com": true, "hotmail.com": true, "live.com": true, "msn.com": true,
	"icloud.com": true, "me.com": true, "yahoo.com": true, "proton.me": true, "protonmail.com": true,
}

// Domain returns what the address's domain is counted as: the one that its owner has registered, such as corp.example
// of a@mail.corp.example, since there is no end to the subdomains of a domain. The zero Email has the domain "".
func (e Email) Domain() string {
	_, domain, _ := strings.Cut(e.Reveal(), "@")
	registered, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil { // the domain is a suffix itself, such as gov.cn
		return domain
	}
	return registered
}

// PublicProvider reports whether the address is one of a large public mail provider.
func (e Email) PublicProvider() bool { return publicProviders[e.Domain()] }
