package wire

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// NewClient returns a client for sends, with connections of its own. It is safe for concurrent use.
func NewClient() *http.Client {
	// One lost HTTP/2 connection would leave every request on it with an unknown outcome, so each
	// request has a connection to itself.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		// The caller's context is the limit that counts; this one is for a caller without a deadline.
		Timeout: 30 * time.Second,
		// A redirect followed is a message sent twice.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment, // never for loopback
			DialContext:            dialPunctual((&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}).DialContext),
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  20 * time.Second,
			MaxResponseHeaderBytes: maxAnswer,
			DisableCompression:     true, // answers are short, and a bomb cannot unfold
			Protocols:              protocols,
			// The standard two idle connections would make most concurrent sends dial anew.
			MaxIdleConnsPerHost: 512,
			// Shorter than the keep-alive of common gateways: a connection that the other side closes
			// while a request travels makes the outcome unknown.
			IdleConnTimeout: 10 * time.Second,
		},
	}
}
