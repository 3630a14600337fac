package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Host names and URLs in the form that browsers send, so that they can be compared: in lower case, without the default
// port of the scheme, and in Punycode.

// PublicURL parses the public address: https, or http where the host is loopback.
func PublicURL(text string) (*url.URL, error) {
	u, err := webAddress(text)
	switch {
	case errors.Is(err, errPath):
		return nil, fmt.Errorf("want no path: the service owns its host name")
	case errors.Is(err, errClear):
		return nil, fmt.Errorf("want https; http is for loopback only")
	case err != nil:
		return nil, fmt.Errorf("want an address such as https://signup.example.com")
	}
	return u, nil
}

// Origins parses origins of web pages. The error says what is accepted and quotes no value.
func Origins(texts []string) ([]string, error) {
	origins := make([]string, len(texts))
	for i, text := range texts {
		u, err := webAddress(text)
		if err != nil {
			return nil, errors.New("want origins such as https://www.example.com, without path or *; http is for loopback only")
		}
		origins[i] = u.String()
	}
	return origins, nil
}

// ReturnAddresses parses addresses that people may be sent back to: origins, each with or without the beginning of a path. The
// error says what is accepted and quotes no value.
func ReturnAddresses(texts []string) ([]*url.URL, error) {
	addresses := make([]*url.URL, len(texts))
	for i, text := range texts {
		u, err := url.Parse(strings.TrimSpace(text))
		if err == nil {
			prefix := strings.TrimSuffix(u.Path, "/")
			plain := u.RawPath == "" && (prefix == "" || path.Clean(prefix) == prefix && isPlain(prefix))
			u.Path = ""
			if addresses[i], err = webAddress(u.String()); err == nil && !plain {
				err = errPath
			}
			if err == nil {
				addresses[i].Path = prefix
			}
		}
		if err != nil {
			return nil, errors.New("want addresses such as https://www.example.com or https://www.example.com/shop; http is for loopback only")
		}
	}
	return addresses, nil
}

// isPlain reports whether a path has no character that servers read differently.
func isPlain(text string) bool {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"
	return strings.Trim(text, alphabet) == ""
}

// CookieDomain checks the domain of cookies: the host of the public address is in it, it belongs to one owner, and TLS keeps others
// from setting a cookie for it.
func CookieDomain(domain, publicURL string) error {
	if domain == "" {
		return nil
	}
	u, err := PublicURL(publicURL)
	if err != nil {
		return nil //nolint:nilerr // PUBLIC_URL has a mistake of its own
	}
	host, err := Host(domain)
	_, suffixErr := publicsuffix.EffectiveTLDPlusOne(domain)
	_, ipErr := netip.ParseAddr(domain)
	switch {
	case err != nil || host != domain || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || ipErr == nil:
		return errors.New("want a domain in lower case without dots at its ends, such as example.com")
	case u.Scheme != "https":
		return errors.New("needs a PUBLIC_URL with https")
	case suffixErr != nil:
		return errors.New("want a domain of your own: browsers refuse cookies for one under which everybody can register")
	case u.Hostname() != domain && !strings.HasSuffix(u.Hostname(), "."+domain):
		return errors.New("want a parent domain of PUBLIC_URL's host, or the host itself")
	}
	return nil
}

var (
	errAddress = errors.New("not an address of a web site")
	errPath    = errors.New("address has a path")
	errClear   = errors.New("address is neither https nor loopback")
)

// webAddress parses the URL of a web site: a scheme, a host and an optional port.
func webAddress(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errAddress
	}
	host, err := Host(u.Hostname())
	if err != nil {
		return nil, err
	}
	port, err := portOf(u)
	switch {
	case err != nil:
		return nil, err
	case u.Path != "" && u.Path != "/":
		return nil, errPath
	case u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(host)):
		return nil, errClear
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return &url.URL{Scheme: u.Scheme, Host: host + port}, nil
}

// portOf returns the port with its colon, or "" for the default port of the scheme.
func portOf(u *url.URL) (string, error) {
	if u.Port() == "" {
		return "", nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err != nil || port == 0:
		return "", errAddress
	case u.Scheme == "https" && port == 443, u.Scheme == "http" && port == 80:
		return "", nil
	}
	return ":" + strconv.FormatUint(port, 10), nil
}

var errEndpoint = errors.New("want an https address such as https://api.example.com; http is accepted for loopback only")

// Endpoint returns a vendor's address without a slash at its end. The path is kept, so that one test server can play
// several vendors. The error does not quote the address.
func Endpoint(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		return "", errEndpoint
	case u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(u.Hostname())):
		return "", errEndpoint
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// Host returns a host name, or an address without brackets, in the form of a Host header without its port.
func Host(text string) (string, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return addr.String(), nil
	}
	host := strings.ToLower(text)
	if strings.ContainsFunc(host, func(r rune) bool { return r > '~' }) {
		var err error
		if host, err = idna.Lookup.ToASCII(host); err != nil {
			return "", errAddress
		}
	}
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-._"
	if host == "" || strings.Trim(host, alphabet) != "" {
		return "", errAddress
	}
	return host, nil
}

// IsLoopback reports whether a host name or address never leaves the machine.
func IsLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// pageMistakes refuses a text that is not the URL of a page: https, or http where the host is loopback. Empty is no page.
func pageMistakes(variable, text string) Mistakes {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err == nil {
		_, err = webAddress((&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}).String())
	}
	return unless(err == nil, variable, "want the address of a page, such as https://www.example.com/terms; http is for loopback only")
}
