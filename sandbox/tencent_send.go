package sandbox

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxTencentNumbers = 200
	maxSessionContext = 511 // bytes
	maxSignRunes      = 12
	minSignRunes      = 2

	// sameContentSpan is the window of the limit of the same content to one number.
	sameContentSpan = 30 * time.Second

	// maxTencentText is how many characters a variable has in a template that is not of the type 验证码.
	// https://cloud.tencent.com/document/product/382/13301
	maxTencentText = 6
)

var (
	tencentIDPattern    = regexp.MustCompile(`^[0-9]{1,19}$`)
	tencentParamPattern = regexp.MustCompile(`^[0-9]{0,6}$`)
	digitsPattern       = regexp.MustCompile(`^[0-9]{4,6}$`) // a code of digits
)

// A tencentSMS is the body of SendSms.
type tencentSMS struct {
	PhoneNumberSet   []string
	SDKAppID         string `json:"SmsSdkAppId"`
	TemplateID       string `json:"TemplateId"`
	SignName         string
	TemplateParamSet []string
	ExtendCode       string
	SessionContext   string
	SenderID         string `json:"SenderId"`
}

// tencentStatus is the status of one number in the answer.
type tencentStatus struct {
	SerialNo       string
	PhoneNumber    string
	Fee            int
	SessionContext string
	Code           string
	Message        string
	IsoCode        string
}

// tencentSend is the action SendSms. What is wrong with one number, or with sign name, template and variables, is told in the
// status of the number.
func (s *Server) tencentSend(c *tencentCall) answer {
	var sms tencentSMS
	refusal, refused := c.read(&sms, 3, "PhoneNumberSet", "SmsSdkAppId", "TemplateId", "SignName", "TemplateParamSet",
		"ExtendCode", "SessionContext", "SenderId")
	if !refused {
		refusal, refused = s.checkTencent(sms)
	}
	if refused {
		return c.refuse(refusal)
	}
	lost, statuses := false, make([]tencentStatus, len(sms.PhoneNumberSet))
	for i, given := range sms.PhoneNumberSet {
		number := normalNumber(given)
		magic := magicFor(number)
		if magic.Tencent == "RequestLimitExceeded" { // the vendor says this of whole requests only
			return c.refuse(tencentRefusalFor(magic.Tencent))
		}
		lost = lost || magic.Reset
		statuses[i] = s.sendTencent(sms, given, number, magic)
	}
	a := c.answer(struct {
		SendStatusSet []tencentStatus
		RequestID     string `json:"RequestId"`
	}{statuses, c.requestID})
	a.lost = lost
	return a
}

// checkTencent checks what refuses the whole request.
func (s *Server) checkTencent(sms tencentSMS) (refusal tencentRefusal, refused bool) {
	switch {
	case len(sms.PhoneNumberSet) == 0:
		return tencentRefusal{"MissingParameter.EmptyPhoneNumberSet", "the list of numbers is empty"}, true
	case len(sms.PhoneNumberSet) > maxTencentNumbers:
		return tencentRefusal{"LimitExceeded.PhoneNumberCountLimit", "more than 200 numbers"}, true
	case sms.SDKAppID != s.config.Credentials.Tencent.SDKAppID:
		return foreignApp, true
	case len(sms.SessionContext) > maxSessionContext:
		return tencentRefusal{"InvalidParameterValue", "SessionContext is too long"}, true
	}
	abroad := 0
	for _, given := range sms.PhoneNumberSet {
		if !mainland(normalNumber(given)) {
			abroad++
		}
	}
	if abroad > 0 && abroad < len(sms.PhoneNumberSet) {
		return tencentRefusal{
			"UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber", "mainland and other numbers in one request",
		}, true
	}
	return tencentRefusal{}, false
}

// sendTencent keeps one message, unless something refuses it.
func (s *Server) sendTencent(sms tencentSMS, given, number string, magic magicNumber) tencentStatus {
	status := tencentStatus{PhoneNumber: given, SessionContext: sms.SessionContext, Code: "Ok", Message: "send success", Fee: 1}
	if mainland(number) {
		status.PhoneNumber, status.IsoCode = "+86"+number, "CN"
	}
	now := s.config.Now()
	code := magic.Tencent
	if code == "" {
		code = sms.wrong(given, number)
	}
	if code == "" {
		code = s.takeTencent(sms, number, now)
	}
	if code != "" {
		status.Code, status.Message, status.Fee = code, tencentRefusalFor(code).message, 0
		return status
	}
	status.SerialNo = fmt.Sprintf("5000:1045%d%08d", now.Unix(), rand.IntN(1e8))
	s.keepSMS(vendorTencent, []string{number}, record{
		Message:  Message{From: sms.SignName, Text: sms.text(), Code: sms.code()},
		vendorID: status.SerialNo, reference: sms.SessionContext, template: sms.TemplateID,
	}, now)
	return status
}

// wrong returns the code that refuses the message, or "".
func (m tencentSMS) wrong(given, number string) string {
	runes := utf8.RuneCountInString(m.SignName)
	isMainland := mainland(number)
	switch {
	case !dialable(number), !isMainland && !strings.HasPrefix(given, "+"):
		return "InvalidParameterValue.IncorrectPhoneNumber"
	case isMainland && m.SignName == "":
		return "FailedOperation.MissingSignature"
	case m.SignName != "" && (runes < minSignRunes || runes > maxSignRunes), strings.ContainsAny(m.SignName, "【】[] \r\n"):
		return "FailedOperation.SignatureIncorrectOrUnapproved"
	case !tencentIDPattern.MatchString(m.TemplateID), templateStatus(m.TemplateID) != templateApproved:
		return "FailedOperation.TemplateIncorrectOrUnapproved"
	}
	return m.wrongVariable()
}

// wrongVariable returns the code that refuses a variable, or "". Templates of the type 验证码 have a code and its minutes; others
// have texts, such as a name, too.
func (m tencentSMS) wrongVariable() string {
	isText, most := strings.HasSuffix(m.TemplateID, endsText), 2
	if isText {
		most = 3
	}
	if len(m.TemplateParamSet) < 1 || len(m.TemplateParamSet) > most {
		return "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"
	}
	for _, value := range m.TemplateParamSet {
		switch {
		case strings.Contains(value, "://"):
			return "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"
		case isText && utf8.RuneCountInString(value) > maxTencentText:
			return "InvalidParameterValue.TemplateParameterLengthLimit"
		case !isText && !tencentParamPattern.MatchString(value):
			return "InvalidParameterValue.TemplateParameterFormatError"
		}
	}
	return ""
}

// takeTencent counts the message: the same content to one number in 30 seconds, and all to one number on a day in Beijing. It
// returns the code of the limit that is reached, or "".
func (s *Server) takeTencent(sms tencentSMS, number string, now time.Time) string {
	content := strings.Join(append([]string{number, sms.SignName, sms.TemplateID}, sms.TemplateParamSet...), "\x00")
	if _, ok := s.tencentContents.take(now, content); !ok {
		return "LimitExceeded.PhoneNumberThirtySecondLimit"
	}
	full, ok := s.tencentCounts.take(now, now.In(beijing).Format(time.DateOnly)+number)
	switch {
	case ok:
		return ""
	case full.span == time.Hour:
		return "LimitExceeded.PhoneNumberOneHourLimit"
	default:
		return "LimitExceeded.PhoneNumberDailyLimit"
	}
}

// code is the variable that looks like one: the order of the variables is the template's.
func (m tencentSMS) code() string {
	i := slices.IndexFunc(m.TemplateParamSet, digitsPattern.MatchString)
	if i < 0 {
		return ""
	}
	return m.TemplateParamSet[i]
}

// text renders one of [Templates] or a text of the sandbox's own, since it does not know the approved text.
func (m tencentSMS) text() string {
	signName := ""
	if m.SignName != "" { // optional abroad
		signName = "【" + m.SignName + "】"
	}
	words := []string{signName + wordsOf(m.TemplateID, "您的") + "验证码为：" + m.code()}
	for _, value := range m.TemplateParamSet {
		switch {
		case value == m.code():
		case tencentParamPattern.MatchString(value):
			words = append(words, value+"分钟内有效")
		default:
			words = append(words, "用于"+value)
		}
	}
	return strings.Join(append(words, "请勿泄露于他人！"), "，")
}
