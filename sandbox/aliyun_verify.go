package sandbox

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxSchemeName   = 20
	defaultInterval = 60 // seconds
	maxInterval     = 24 * 60 * 60

	// vendorMade stands in TemplateParam for a code that the vendor makes. The sandbox plays codes of the caller only.
	vendorMade = "##code##"
)

// givenWords begin the texts of the templates that the vendor gives (赠送模板).
var givenWords = map[string]string{
	"100001": "您正在登录或注册，", "100002": "您正在更换绑定的手机号，", "100003": "您正在重置密码，", "100004": "您正在绑定新手机号，",
	"100005": "您正在验证已绑定的手机号，",
}

var ownCodePattern = regexp.MustCompile(`^[0-9]{4,6}$`)

// verifyRules are the forms of the optional parameters of SendSmsVerifyCode.
var verifyRules = map[string]*regexp.Regexp{
	"CountryCode":      regexp.MustCompile(`^86$`),
	"Interval":         regexp.MustCompile(`^[1-9][0-9]{0,4}$`),
	"ValidTime":        regexp.MustCompile(`^[1-9][0-9]{0,4}$`),
	"CodeLength":       regexp.MustCompile(`^[4-8]$`),
	"CodeType":         regexp.MustCompile(`^[1-7]$`),
	"DuplicatePolicy":  regexp.MustCompile(`^[12]$`),
	"ReturnVerifyCode": regexp.MustCompile(`^(true|false)$`),
	"AutoRetry":        regexp.MustCompile(`^[01]$`),
}

// aliyunVerified is the answer of SMS authentication (短信认证); Model is empty on errors.
type aliyunVerified struct {
	XMLName   xml.Name    `json:"-" xml:"SendSmsVerifyCodeResponse"`
	Code      string      `json:"Code" xml:"Code"`
	Success   bool        `json:"Success" xml:"Success"`
	Message   string      `json:"Message" xml:"Message"`
	RequestID string      `json:"RequestId" xml:"RequestId"`
	Model     verifyModel `json:"Model" xml:"Model"`
}

type verifyModel struct {
	BizID     string `json:"BizId,omitempty" xml:"BizId,omitempty"`
	OutID     string `json:"OutId,omitempty" xml:"OutId,omitempty"`
	RequestID string `json:"RequestId,omitempty" xml:"RequestId,omitempty"`
}

// aliyunVerifySend is the action SendSmsVerifyCode. AutoRetry has no effect: the sandbox reports no failure that another route
// would mend.
func (s *Server) aliyunVerifySend(c *aliyunCall) answer {
	params, refusal := s.readVerification(c)
	if refusal != nil {
		return c.refuse(refusal)
	}
	number := c.params.Get("PhoneNumber")
	magic := magicFor(number)
	if magic.Verify != "" {
		return c.refuse(aliyunRefusalFor(magic.Verify))
	}
	now := s.config.Now()
	if refusal := s.takeVerification(c, number, now); refusal != nil {
		return c.refuse(refusal)
	}
	bizID, sign, template := fmt.Sprintf("1%017d^4", rand.Int64N(1e17)), c.params.Get("SignName"), c.params.Get("TemplateCode")
	s.keepSMS(vendorAliyunVerify, []string{number}, record{
		Message: Message{
			From: sign, Code: params["code"],
			Text: "【" + sign + "】" + givenWords[template] + "验证码为：" + params["code"] + "，" + params["min"] + "分钟内有效，请勿泄露于他人！",
		},
		vendorID: bizID, reference: c.params.Get("OutId"), template: template,
	}, now)
	a := c.answer(http.StatusOK, aliyunVerified{
		Code: "OK", Success: true, Message: "成功", RequestID: c.requestID,
		Model: verifyModel{BizID: bizID, OutID: c.params.Get("OutId"), RequestID: c.requestID},
	})
	a.lost = magic.Reset
	return a
}

// readVerification checks a request and returns the variables of its template. Sign name and template must be given ones.
func (s *Server) readVerification(c *aliyunCall) (map[string]string, *aliyunRefusal) {
	for _, name := range []string{"PhoneNumber", "SignName", "TemplateCode", "TemplateParam"} {
		if c.params.Get(name) == "" {
			return nil, missing(name)
		}
	}
	for name, form := range verifyRules {
		if value := c.params.Get(name); value != "" && !form.MatchString(value) {
			return nil, wrongParameter(name)
		}
	}
	given := s.config.Credentials.AliyunVerify
	_, known := givenWords[c.params.Get("TemplateCode")]
	switch {
	case !mainland(c.params.Get("PhoneNumber")):
		return nil, aliyunRefusalFor("MOBILE_NUMBER_ILLEGAL")
	case c.params.Get("SignName") != given.SignName:
		return nil, wrongParameter("SignName")
	case !known && c.params.Get("TemplateCode") != given.TemplateCode:
		return nil, wrongParameter("TemplateCode")
	case utf8.RuneCountInString(c.params.Get("SchemeName")) > maxSchemeName:
		return nil, wrongParameter("SchemeName")
	case utf8.RuneCountInString(c.params.Get("OutId")) > maxOutID:
		return nil, wrongParameter("OutId")
	}
	return readVerifyParam(c.params.Get("TemplateParam"))
}

// readVerifyParam wants the two variables of the given templates.
func readVerifyParam(text string) (map[string]string, *aliyunRefusal) {
	if strings.Contains(text, vendorMade) {
		return nil, &aliyunRefusal{"INVALID_PARAMETERS", "the sandbox makes no codes: pass your own", http.StatusBadRequest}
	}
	params, refusal := readTemplateParam(text)
	if refusal != nil || len(params) != 2 || !ownCodePattern.MatchString(params["code"]) || !digits(params["min"]) {
		return nil, wrongParameter("TemplateParam")
	}
	return params, nil
}

func wrongParameter(name string) *aliyunRefusal {
	return &aliyunRefusal{"INVALID_PARAMETERS", "参数" + name + "不正确", http.StatusBadRequest}
}

// takeVerification counts a message unless its number got one within Interval, or as many today as the console allows.
func (s *Server) takeVerification(c *aliyunCall, number string, now time.Time) *aliyunRefusal {
	seconds, err := strconv.Atoi(c.params.Get("Interval"))
	if err != nil {
		seconds = defaultInterval
	}
	windows := s.verifyCounts.windows
	if len(windows) > 0 {
		windows = slices.Concat([]window{{time.Duration(min(seconds, maxInterval)) * time.Second, 1}}, windows)
	}
	full, ok := s.verifyCounts.takeWithin(now, windows, number)
	switch {
	case ok:
		return nil
	case full.span == windows[0].span:
		return aliyunRefusalFor("biz.FREQUENCY")
	}
	return aliyunRefusalFor("BUSINESS_LIMIT_CONTROL")
}
