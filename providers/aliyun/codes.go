package aliyun

import (
	"strings"

	"usher/providers"
)

// kinds says what each code means for the message. Beside every row stands what the vendor says.
var kinds = map[string]providers.Kind{
	// The gateway: key, signature, clock, permission.
	"InvalidAccessKeyId.NotFound":    providers.Misconfigured, // the key does not exist
	"InvalidAccessKeyId.Inactive":    providers.Misconfigured, // the key is disabled
	"SignatureDoesNotMatch":          providers.Misconfigured, // wrong secret
	"IncompleteSignature":            providers.Misconfigured, // wrong way of signing
	"InvalidTimeStamp.Expired":       providers.Misconfigured, // the clock is off by more than 15 minutes
	"InvalidTimeStamp.Format":        providers.Misconfigured, // time not in UTC or not in ISO 8601
	"IllegalTimestamp":               providers.Misconfigured, // time out of range
	"SignatureNonceUsed":             providers.Unknown,       // the same bytes came before, through a proxy perhaps
	"InvalidSecurityToken.Expired":   providers.Misconfigured, // temporary key expired
	"InvalidSecurityToken.Malformed": providers.Misconfigured, // temporary key malformed
	"Forbidden.RAM":                  providers.Misconfigured, // the RAM user has no permission
	"NoPermission":                   providers.Misconfigured, // no permission
	"isp.RAM_PERMISSION_DENY":        providers.Misconfigured, // no RAM permission: isp in name, a fault of the account
	"InvalidVersion":                 providers.Misconfigured, // no such version of the API
	"InvalidAction.NotFound":         providers.Misconfigured, // no such action
	"MissingParameter":               providers.Misconfigured, // a required parameter is missing
	"Throttling":                     providers.Temporary,     // too many requests
	"Throttling.User":                providers.Temporary,     // too many requests of this account
	"Throttling.Api":                 providers.Temporary,     // too many requests for this action
	"ServiceUnavailable":             providers.Unknown,       // fault on their side; nothing says that it was not sent
	"InternalError":                  providers.Unknown,       // fault on their side; nothing says that it was not sent
	"isp.SYSTEM_ERROR":               providers.Temporary,     // refused for a fault on their side; try again
	"isp.GATEWAY_ERROR":              providers.Temporary,     // refused for a fault on their side; try again

	// This number's frequency.
	"isv.BUSINESS_LIMIT_CONTROL": providers.RateLimited, // per number: 1 a minute, 5 an hour, 10 a day

	// This message.
	"isv.MOBILE_NUMBER_ILLEGAL":              providers.Rejected, // no valid number
	"isv.MOBILE_COUNT_OVER_LIMIT":            providers.Rejected, // too many numbers
	"isv.DOMESTIC_NUMBER_NOT_SUPPORTED":      providers.Rejected, // mainland number with an international template
	"isv.INVALID_PARAMETERS":                 providers.Rejected, // a parameter has a wrong form
	"isv.INVALID_JSON_PARAM":                 providers.Rejected, // variables are not a JSON object of strings
	"isv.PARAM_LENGTH_LIMIT":                 providers.Rejected, // variable too long
	"isv.PARAM_NOT_SUPPORT_URL":              providers.Rejected, // address of a page in a variable
	"isv.SMS_CONTENT_ILLEGAL":                providers.Rejected, // forbidden content
	"isv.UNSUPPORTED_CONTENT":                providers.Rejected, // characters that cannot be sent
	"isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE": providers.Rejected, // content does not suit the template's type
	"isv.BLACK_KEY_CONTROL_LIMIT":            providers.Rejected, // number on a blacklist, or forbidden word
	"isv.CUSTOMER_REFUSED":                   providers.Rejected, // the person opted out

	// Template, sign name, test settings.
	"isv.SMS_TEMPLATE_ILLEGAL":             providers.Misconfigured, // template unknown or not approved
	"isv.TEMPLATE_MISSING_PARAMETERS":      providers.Misconfigured, // a variable of the template has no value
	"isv.TEMPLATE_PARAMS_ILLEGAL":          providers.Misconfigured, // variables do not suit the template
	"template_parameter_count_illegal":     providers.Misconfigured, // wrong number of variables
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
