package events

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"usher/webhooks"
)

// Endpoint is an address of a team's own service that gets events.
type Endpoint struct {
	ID        string
	URL       string
	Types     []Type // none: every type
	CreatedAt time.Time

	Failures     int       // in a row
	FailingSince time.Time // the first failure since the last success; zero: none
	PausedUntil  time.Time // nothing is sent before

	DisabledAt time.Time // zero: it gets events
	Reason     string    // why it is disabled
}

// Reasons why an endpoint is disabled.
const (
	DisabledByOperator = "operator"
	DisabledByAnswer   = "gone"    // it has answered 410
	DisabledByFailures = "failing" // nothing but failures for [Patience]
)

// NewEndpointID returns the id of a new endpoint.
func NewEndpointID() string {
	return "ep_" + strings.ReplaceAll(uuid.Must(uuid.NewV7()).String(), "-", "")
}

// NextSecret returns a new secret of the same kind: a private key for a private key.
func NextSecret(former string) string {
	if _, private := webhooks.PublicKey(former); private {
		return webhooks.NewPrivateKey()
	}
	return NewSecret()
}

// NewSecret returns a secret in the form of the specification, with 32 random bytes.
func NewSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

const maxURL = 2000

// Errors of [CheckURL].
var (
	ErrURL   = errors.New("want an address such as https://example.com/usher, without user name, password and fragment")
	ErrPlain = errors.New("want https: http is only possible in networks of USHER_EVENTS_ALLOW_PRIVATE")
	ErrHost  = errors.New("want a host name or an IP address in its usual form")
)

// CheckURL checks the address of an endpoint as far as it can be checked without a connection. plain allows http.
func CheckURL(text string, plain bool) error {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.Opaque != "" || u.User != nil || u.Fragment != "" || u.Hostname() == "" {
		return ErrURL // that of url.Parse quotes the address, which may contain a secret
	}
	switch {
	case u.Scheme == "http" && !plain:
		return ErrPlain
	case u.Scheme != "http" && u.Scheme != "https":
		return ErrURL
	}
	return checkHost(u.Hostname())
}

func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	// A name whose last label begins with a digit is an IPv4 address to some resolvers, such as 0x7f.1 and 2130706433.
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if last := labels[len(labels)-1]; last == "" || last[0] >= '0' && last[0] <= '9' || strings.ContainsAny(host, ":%_ ") {
		return ErrHost
	}
	return nil
}
