package sandbox

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxAliyunNumbers = 1000
	maxOutID         = 255
	maxParamLength   = 35
)

var templateCodePattern = regexp.MustCompile(`^SMS_[0-9]{1,20}$`)

// An aliyunSMS is a checked SendSms request.
type aliyunSMS struct {
	numbers  []string // normal form
	sign     string
	template string
	params   map[string]string
	outID    string
}

// aliyunSend is the action SendSms.
func (s *Server) aliyunSend(c *aliyunCall) answer {
	sms, refusal := readAliyunSMS(c)
	if refusal != nil {
		return c.refuse(refusal)
	}
	lost := false
	for _, number := range sms.numbers {
		magic := magicFor(number)
		if magic.Aliyun != "" {
			return c.refuse(aliyunRefusalFor(magic.Aliyun))
		}
		lost = lost || magic.Reset
	}
	now := s.config.Now()
	if refusal := s.takeAliyun(sms, now); refusal != nil {
		return c.refuse(refusal)
	}
	bizID := fmt.Sprintf("9%017d^0", rand.Int64N(1e17))
	s.keepSMS(vendorAliyun, sms.numbers, record{
		Message:  Message{From: sms.sign, Text: sms.text(), Code: sms.params["code"]},
		vendorID: bizID, reference: sms.outID, template: sms.template,
	}, now)
	a := c.answer(http.StatusOK, aliyunSent{Code: "OK", Message: "OK", RequestID: c.requestID, BizID: bizID})
	a.lost = lost
	return a
}

// keepSMS keeps one copy of a record per number.
func (s *Server) keepSMS(vendor string, numbers []string, common record, now time.Time) {
	if common.Code == "" {
		common.Code = findCode(common.Text)
	}
	common.Channel, common.Provider, common.ReceivedAt = channelSMS, vendor, now
	common.Links = findLinks(common.Text)
	common.reportedAt = now.Add(s.config.DeliveryDelay)
	records := make([]*record, len(numbers))
	for i, number := range numbers {
		r := common
		r.To, r.report = number, magicFor(number).Report
		if _, hit := s.faults.draw(vendor, func(f Fault) bool { return f.blocks(number) }); hit {
			r.report = reportsUndelivered
		}
		records[i] = &r
	}
	s.keep(records...)
	s.config.Logger.Info("message kept", "provider", vendor, "channel", channelSMS, "count", len(records))
}

func (s *Server) takeAliyun(sms aliyunSMS, now time.Time) *aliyunRefusal {
	keys := make([]string, len(sms.numbers))
	for i, number := range sms.numbers {
		keys[i] = sms.sign + "\x00" + number
	}
	full, ok := s.aliyunCounts.take(now, keys...)
	if ok {
		return nil
	}
	level := map[time.Duration]string{time.Minute: "分钟", time.Hour: "小时", 24 * time.Hour: "天"}[full.span]
	return business("isv.BUSINESS_LIMIT_CONTROL", fmt.Sprintf("触发%s级流控Permits:%d", level, full.permits))
}

func readAliyunSMS(c *aliyunCall) (aliyunSMS, *aliyunRefusal) {
	for _, name := range []string{"PhoneNumbers", "SignName", "TemplateCode"} {
		if c.params.Get(name) == "" {
			return aliyunSMS{}, missing(name)
		}
	}
	sms := aliyunSMS{
		sign:     c.params.Get("SignName"),
		template: c.params.Get("TemplateCode"),
		outID:    c.params.Get("OutId"),
	}
	var refusal *aliyunRefusal
	if sms.numbers, refusal = readAliyunNumbers(c.params.Get("PhoneNumbers")); refusal != nil {
		return sms, refusal
	}
	extend := c.params.Get("SmsUpExtendCode")
	switch {
	case !usableSign(sms.sign), signOf(sms.sign).status != signApproved:
		return sms, business("isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名")
	case !templateCodePattern.MatchString(sms.template), templateStatus(sms.template) != templateApproved:
		return sms, business("isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板")
	case utf8.RuneCountInString(sms.outID) > maxOutID:
		return sms, business("isv.INVALID_PARAMETERS", "参数OutId格式不正确")
	case extend != "" && !digits(extend):
		return sms, business("isv.EXTEND_CODE_ERROR", "扩展码使用错误")
	}
	sms.params, refusal = readTemplateParam(c.params.Get("TemplateParam"))
	return sms, refusal
}

// usableSign reports whether a text can be a sign name.
func usableSign(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsAny(name, "【】\r\n")
}

func readAliyunNumbers(list string) ([]string, *aliyunRefusal) {
	numbers := strings.Split(list, ",")
	if len(numbers) > maxAliyunNumbers {
		return nil, business("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制")
	}
	for i, number := range numbers {
		if numbers[i] = normalNumber(number); !dialable(numbers[i]) {
			return nil, business("isv.MOBILE_NUMBER_ILLEGAL", "非法手机号")
		}
	}
	return numbers, nil
}

// readTemplateParam requires an object whose values are all strings, as the vendor documents. A bare number is the usual mistake of
// clients that write the JSON themselves.
func readTemplateParam(text string) (map[string]string, *aliyunRefusal) {
	if text == "" {
		return nil, nil
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(text), &values); err != nil || values == nil {
		return nil, business("isv.INVALID_JSON_PARAM", "JSON参数不合法")
	}
	params := make(map[string]string, len(values))
	for name, value := range values {
		s, ok := value.(string)
		if !ok {
			return nil, business("isv.INVALID_JSON_PARAM", "JSON参数不合法，变量值必须为字符串")
		}
		if refusal := checkVariable(name, s); refusal != nil {
			return nil, refusal
		}
		params[name] = s
	}
	return params, nil
}

func checkVariable(name, value string) *aliyunRefusal {
	length := utf8.RuneCountInString(value)
	switch {
	case strings.Contains(value, "http://") || strings.Contains(value, "https://"):
		return business("isv.PARAM_NOT_SUPPORT_URL", "变量不支持传入URL")
	case length == 0 || length > maxParamLength, name == "code" && (length < 4 || length > 6):
		return business("isv.PARAM_LENGTH_LIMIT", "参数长度超过限制")
	case name == "code" && !wordPattern.MatchString(value):
		return business("isv.TEMPLATE_PARAMS_ILLEGAL", "传入变量内容和变量属性不匹配")
	}
	return nil
}

// text renders the sandbox's own text, since it does not know the approved text.
func (m aliyunSMS) text() string {
	if code, ok := m.params["code"]; ok && len(m.params) == 1 {
		return "【" + m.sign + "】" + wordsOf(m.template, "您的") + "验证码为：" + code + "，请勿泄露于他人！"
	}
	names := make([]string, 0, len(m.params))
	for name := range m.params {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("【" + m.sign + "】" + m.template)
	for _, name := range names {
		b.WriteString("，" + name + "：" + m.params[name])
	}
	return b.String()
}
