package tencent

import (
	"strings"

	"usher/providers"
)

// kinds says what each code means for the message. Beside every row stands what the vendor says.
//
// https://cloud.tencent.com/document/product/382/59177
var kinds = map[string]providers.Kind{
	// This number's frequency. Codes that begin with LimitExceeded.PhoneNumber are of this kind, except the first.
	"LimitExceeded.PhoneNumberCountLimit":            providers.Rejected,    // more than 200 numbers
	"LimitExceeded.PhoneNumberThirtySecondLimit":     providers.RateLimited, // limit of the number in 30 seconds
	"LimitExceeded.PhoneNumberOneHourLimit":          providers.RateLimited, // limit of the number in an hour
	"LimitExceeded.PhoneNumberDailyLimit":            providers.RateLimited, // limit of the number in a day
	"LimitExceeded.PhoneNumberSameContentDailyLimit": providers.RateLimited, // limit of the number for the same content
	"LimitExceeded.DeliveryFrequencyLimit":           providers.RateLimited, // the frequency limits of the console

	// This message.
	"InvalidParameterValue.IncorrectPhoneNumber":                      providers.Rejected,      // number has a wrong form
	"FailedOperation.PhoneNumberParseFail":                            providers.Rejected,      // number is not E.164
	"MissingParameter.EmptyPhoneNumberSet":                            providers.Rejected,      // no number
	"FailedOperation.PhoneNumberInBlacklist":                          providers.Rejected,      // opted out, or on a carrier's blacklist
	"FailedOperation.ContainSensitiveWord":                            providers.Rejected,      // forbidden word
	"InvalidParameter.DirtyWordFound":                                 providers.Rejected,      // forbidden word
	"InvalidParameterValue.ContentLengthLimit":                        providers.Rejected,      // content too long
	"InvalidParameterValue.TemplateParameterFormatError":              providers.Rejected,      // a code has up to 6 digits
	"InvalidParameterValue.TemplateParameterLengthLimit":              providers.Rejected,      // variable too long
	"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter":       providers.Rejected,      // address of a page in a variable
	"UnsupportedOperation.UnsupportedRegion":                          providers.Rejected,      // country not served
	"UnsupportedOperation.UnsuportedRegion":                           providers.Rejected,      // the same, in the vendor's older spelling
	"UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber": providers.Rejected,      // mainland and other numbers together
	"UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone":       providers.Rejected,      // template for the mainland, number elsewhere
	"UnsupportedOperation.GlobalTemplateToChineseMainlandPhone":       providers.Rejected,      // the other way round
	"LimitExceeded.AppCountryOrRegionInBlacklist":                     providers.Rejected,      // country not in the console's list
	"LimitExceeded.AppCountryOrRegionDailyLimit":                      providers.Rejected,      // the console's ceiling for that country
	"FailedOperation.MarketingSendTimeConstraint":                     providers.Misconfigured, // template for marketing, which is sent by day only
	"FailedOperation.SignatureIncorrectOrUnapproved":                  providers.Misconfigured, // sign name not approved
	"FailedOperation.MissingSignature":                                providers.Misconfigured, // no sign name
	"FailedOperation.TemplateIncorrectOrUnapproved":                   providers.Misconfigured, // template not approved, or other variables
	"FailedOperation.TemplateUnapprovedOrNotExist":                    providers.Misconfigured, // template not approved
	"FailedOperation.TemplateParamSetNotMatchApprovedTemplate":        providers.Misconfigured, // other number of variables
	"FailedOperation.FailResolvePacket":                               providers.Misconfigured, // body not as documented
	"FailedOperation.JsonParseFail":                                   providers.Misconfigured, // body not readable
	"FailedOperation.InsufficientBalanceInSmsPackage":                 providers.Misconfigured, // package used up
	"FailedOperation.ProhibitSubAccountUse":                           providers.Misconfigured, // not for keys of sub-accounts
	"FailedOperation.NotEnterpriseCertification":                      providers.Misconfigured, // for enterprise accounts only
	"FailedOperation.TemplateIdNotExist":                              providers.Misconfigured, // no such template
	"InternalError.RequestTimeException":                              providers.Misconfigured, // the clock is off by more than 10 minutes
	"InternalError.SigFieldMissing":                                   providers.Misconfigured, // no signature
	"InternalError.SigVerificationFail":                               providers.Misconfigured, // wrong signature
	"InternalError.RestApiInterfaceNotExist":                          providers.Misconfigured, // no such interface
}

// families are the kinds of the codes that are not listed, by their beginning. A code ends, or goes on after a dot.
var families = []struct {
	prefix string
	kind   providers.Kind
}{
	{"RequestLimitExceeded", providers.Temporary},         // too many requests of the account, for the action or from the address
	{"LimitExceeded.PhoneNumber", providers.RateLimited},  // a limit of the number
	{"LimitExceeded", providers.Misconfigured},            // a ceiling of the account or the application
	{"AuthFailure", providers.Misconfigured},              // key, signature, clock, CAM permission
	{"UnauthorizedOperation", providers.Misconfigured},    // application, arrears, address not in the white list
	{"InvalidParameter", providers.Misconfigured},         // also InvalidParameterValue
	{"MissingParameter", providers.Misconfigured},         // a required field is missing
	{"UnknownParameter", providers.Misconfigured},         // a field that is not documented
	{"UnsupportedOperation", providers.Misconfigured},     // request not supported
	{"UnsupportedProtocol", providers.Misconfigured},      // neither GET nor POST
	{"UnsupportedRegion", providers.Misconfigured},        // no such region
	{"InvalidAction", providers.Misconfigured},            // no such action
	{"InvalidRequest", providers.Misconfigured},           // body or headers malformed
	{"NoSuchVersion", providers.Misconfigured},            // no such version of the API
	{"NoSuchProduct", providers.Misconfigured},            // no such product
	{"ActionOffline", providers.Misconfigured},            // the action was withdrawn
	{"RequestSizeLimitExceeded", providers.Misconfigured}, // body too large
}

// kindOf returns the kind of a code that is neither empty nor Ok. Every other code, InternalError and FailedOperation among
// them, is Unknown: nothing says that the message was not sent.
func kindOf(code string) providers.Kind {
	if kind, ok := kinds[code]; ok {
		return kind
	}
	for _, family := range families {
		if strings.HasPrefix(code, family.prefix) {
			return family.kind
		}
	}
	return providers.Unknown
}
