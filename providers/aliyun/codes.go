package aliyun

import (
	"strings"

	"usher/providers"
)

// kinds says what the codes mean for the message whose kind does not follow from their prefix, see [kindOf]. Beside every row
// stands what the vendor says.
var kinds = map[string]providers.Kind{
	// The gateway: key, signature, clock, permission.
	"SignatureNonceUsed":      providers.Unknown,       // the same bytes came before, through a proxy perhaps
	"isp.RAM_PERMISSION_DENY": providers.Misconfigured, // no RAM permission: isp in name, a fault of the account
	"Throttling":              providers.Temporary,     // too many requests
	"isp.SYSTEM_ERROR":        providers.Temporary,     // refused for a fault on their side, whatever the status; try again
	"isp.GATEWAY_ERROR":       providers.Temporary,     // refused for a fault on their side, whatever the status; try again
	"ServiceUnavailable":      providers.Unknown,       // fault on their side; nothing says that it was not sent
	"InternalError":           providers.Unknown,       // fault on their side; nothing says that it was not sent

	// This number's frequency.
	"isv.BUSINESS_LIMIT_CONTROL": providers.RateLimited, // per number: 1 a minute, 5 an hour, 10 a day

	// Template, sign name, test settings.
	"isv.SMS_TEMPLATE_ILLEGAL":             providers.Misconfigured, // template unknown or not approved
	"isv.TEMPLATE_MISSING_PARAMETERS":      providers.Misconfigured, // a variable of the template has no value
	"isv.TEMPLATE_PARAMS_ILLEGAL":          providers.Misconfigured, // variables do not suit the template
	"isv.SMS_SIGNATURE_ILLEGAL":            providers.Misconfigured, // sign name unknown or not approved
	"isv.SMS_SIGN_ILLEGAL":                 providers.Misconfigured, // the same, elsewhere
	"isv.SIGN_NAME_ILLEGAL":                providers.Misconfigured, // the same, elsewhere
	"isv.SIGN_STATE_ILLEGAL":               providers.Misconfigured, // sign name in a wrong state
	"isv.SMS_SIGNATURE_SCENE_ILLEGAL":      providers.Misconfigured, // sign name approved for another purpose
	"isv.SMS_TEST_SIGN_TEMPLATE_LIMIT":     providers.Misconfigured, // test sign name and template go together only
	"isv.SMS_TEST_TEMPLATE_PARAMS_ILLEGAL": providers.Misconfigured, // test template takes 4 to 6 digits
	"isv.SMS_TEST_NUMBER_LIMIT":            providers.Misconfigured, // number not bound for tests
	"isv.EXTEND_CODE_ERROR":                providers.Misconfigured, // extension code used by another sign name
	"isv.ONE_CODE_MULTIPLE_SIGN":           providers.Misconfigured, // one extension code, several sign names
	"isv.CODE_EXCEED_LIMIT":                providers.Misconfigured, // no extension codes left
	"isv.CODE_ERROR":                       providers.Misconfigured, // extension code wrong

	// The account.
	"isv.DAY_LIMIT_CONTROL":       providers.Misconfigured, // the account's own ceiling for the day
	"isv.MONTH_LIMIT_CONTROL":     providers.Misconfigured, // the account's own ceiling for the month
	"isv.OUT_OF_SERVICE":          providers.Misconfigured, // stopped for arrears
	"isv.AMOUNT_NOT_ENOUGH":       providers.Misconfigured, // balance too low
	"isv.PRODUCT_UN_SUBSCRIPT":    providers.Misconfigured, // product not opened
	"isv.PRODUCT_UNSUBSCRIBE":     providers.Misconfigured, // product not opened
	"isv.ACCOUNT_NOT_EXISTS":      providers.Misconfigured, // no such account
	"isv.ACCOUNT_ABNORMAL":        providers.Misconfigured, // account in a wrong state
	"isv.SECURITY_FROZEN_ACCOUNT": providers.Misconfigured, // account frozen
	"isv.DENY_IP_RANGE":           providers.Misconfigured, // source address not allowed
}

// kindOf returns the kind of a code that is neither empty nor OK. The vendor adds codes without notice,
// so prefixes decide on those that are not listed.
func kindOf(code string, status int) providers.Kind {
	if kind, ok := kinds[code]; ok {
		return kind
	}
	switch {
	case strings.HasPrefix(code, "Throttling."):
		return providers.Temporary
	case status >= 500:
		return providers.Unknown
	case strings.HasPrefix(code, "isp."):
		return providers.Temporary
	case strings.HasPrefix(code, "isv."):
		return providers.Rejected
	default:
		return providers.Misconfigured
	}
}
