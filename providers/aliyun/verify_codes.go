package aliyun

import (
	"errors"
	"strings"

	"usher/providers"
)

// isv begins a part of the vendor's codes. SMS authentication returns the same codes with and without it.
const isv = "isv."

// systemError is the code of a fault on their side, and of a sign name that is not on the account's own list.
const systemError = "SYSTEM_ERROR"

// verifyKinds says what each code of SMS authentication means for the message, without isv. Beside every row stands what the
// vendor says.
var verifyKinds = map[string]providers.Kind{
	"biz.FREQUENCY":          providers.RateLimited,   // sent to this number within the interval
	"FREQUENCY_FAIL":         providers.RateLimited,   // the same, elsewhere
	"BUSINESS_LIMIT_CONTROL": providers.RateLimited,   // this number's ceiling for the day
	"MOBILE_NUMBER_ILLEGAL":  providers.Rejected,      // no valid number, or one abroad
	"INVALID_PARAMETERS":     providers.Misconfigured, // sign name, template or parameters are wrong
	"SMS_SIGNATURE_ILLEGAL":  providers.Misconfigured, // sign name not of this account
	"SMS_TEMPLATE_ILLEGAL":   providers.Misconfigured, // template not of this account
	"FUNCTION_NOT_OPENED":    providers.Misconfigured, // 短信认证 is not opened
	"OFFER_NOT_ORDER_STATUS": providers.Misconfigured, // the same, elsewhere
	"PRODUCT_UNSUBSCRIBE":    providers.Misconfigured, // product not opened
	"PRODUCT_UN_SUBSCRIPT":   providers.Misconfigured, // product not opened
	"OUT_OF_SERVICE":         providers.Misconfigured, // stopped for arrears
	"AMOUNT_NOT_ENOUGH":      providers.Misconfigured, // balance or package used up
	"RAM_PERMISSION_DENY":    providers.Misconfigured, // the RAM user has no permission
	systemError:              providers.Temporary,     // see afterRetry
}

// verifyKindOf returns the kind of a code that is neither empty nor OK. The gateway is that of SMS, with the same codes.
func verifyKindOf(code string, status int) providers.Kind {
	if kind, ok := verifyKinds[strings.TrimPrefix(code, isv)]; ok {
		return kind
	}
	return kindOf(code, status)
}

// afterRetry takes a system error that comes again for a wrong sign name: an operator has to look, and messages go to other
// providers meanwhile.
func afterRetry(err error, attempt int) error {
	refused, ok := errors.AsType[*providers.Error](err)
	if ok && attempt > 1 && strings.TrimPrefix(refused.Code, isv) == systemError {
		refused.Kind = providers.Misconfigured
	}
	return err
}
