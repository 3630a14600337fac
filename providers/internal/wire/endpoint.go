package wire

import (
	"errors"
	"net/url"
	"strings"

	"usher/config"
)

var errEndpoint = errors.New("want an https address such as https://api.example.com; http is accepted for loopback only")

// Endpoint checks a vendor's address and returns it without a slash at its end. A path is kept, so that
// a test server may play several vendors. The error does not quote the address.
func Endpoint(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		return "", errEndpoint
	case u.Scheme != "https" && (u.Scheme != "http" || !config.IsLoopback(u.Hostname())):
		return "", errEndpoint
	}
	return strings.TrimRight(u.String(), "/"), nil
}
