package httpsender

import (
	"net/http"

	"usher/providers"
)

// kinds are the values of kind in an answer. The receiver knows best, so a kind decides whatever the status is.
var kinds = map[string]providers.Kind{
	"temporary":     providers.Temporary,     // not sent; the same request may succeed later
	"rate_limited":  providers.RateLimited,   // not sent: this number has had too many messages
	"rejected":      providers.Rejected,      // not sent: this number or message never
	"misconfigured": providers.Misconfigured, // not sent: an operator must act
	"unknown":       providers.Unknown,       // may have been sent
}

// statuses are those of answers without a kind that are not read by their class.
var statuses = map[int]providers.Kind{
	http.StatusUnauthorized:      providers.Misconfigured, // the secrets differ
	http.StatusForbidden:         providers.Misconfigured,
	http.StatusNotFound:          providers.Misconfigured, // the path of USHER_HTTP_URL
	http.StatusMethodNotAllowed:  providers.Misconfigured, // the same
	http.StatusProxyAuthRequired: providers.Misconfigured,
	http.StatusRequestTimeout:    providers.Unknown,       // how much the receiver has read is not known
	http.StatusGone:              providers.Misconfigured, // Standard Webhooks: the receiver wants no more requests
	http.StatusTooManyRequests:   providers.Temporary,     // all our requests are too many, not those for one number
}

// kindOf returns the kind of an answer that is no acceptance and has no kind. Servers between us and the receiver may have
// answered with a redirect or a 5xx, so the request may have reached it.
func kindOf(status int) providers.Kind {
	if kind, listed := statuses[status]; listed {
		return kind
	}
	if status/100 == 4 {
		return providers.Rejected
	}
	return providers.Unknown
}
