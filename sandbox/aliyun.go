package sandbox

import (
	"encoding/xml"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

const (
	aliyunVersion = "2017-05-25"

	// actionVerify is the one of SMS authentication, a product of its own behind the same gateway.
	actionVerify = "SendSmsVerifyCode"

	// maxVendorBody bounds the bodies of SMS vendors. A list of 1,000 numbers needs 15 kB.
	maxVendorBody = 64 << 10
)

// An aliyunCall is one request that is not checked yet.
type aliyunCall struct {
	method    string
	host      string
	header    http.Header
	query     url.Values
	params    url.Values // query and form together
	body      []byte
	requestID string
}

// serveAliyun answers the RPC interface. It ignores the path: signature v1 always signs "/", and SDKs that cannot set a path call
// the root.
func (s *Server) serveAliyun(w http.ResponseWriter, r *http.Request) {
	if s.tallyAliyun(w, r) {
		return
	}
	call, refusal := readAliyun(w, r)
	if refusal != nil {
		call.refuse(refusal).write(w)
		return
	}
	vendor := aliyunActions[call.action()].vendor
	if vendor == "" {
		s.answerAliyun(call).write(w)
		return
	}
	s.answerSend(w, r, vendor,
		func(f Fault) answer {
			refusal := aliyunRefusalFor(f.Code)
			if f.Status != 0 {
				refusal.status = f.Status
			}
			return call.refuse(refusal)
		},
		func() answer { return s.answerAliyun(call) })
}

// An aliyunAction is one operation of the interface.
type aliyunAction struct {
	do     func(*Server, *aliyunCall) answer
	vendor string // whose faults disturb it; empty: nothing does, since it sends nothing
}

// aliyunActions are those of SMS, and SendSmsVerifyCode of SMS authentication.
var aliyunActions = map[string]aliyunAction{
	"SendSms":          {(*Server).aliyunSend, vendorAliyun},
	actionVerify:       {(*Server).aliyunVerifySend, vendorAliyunVerify},
	"QuerySendDetails": {(*Server).aliyunQuery, ""},
	"GetSmsTemplate":   {(*Server).aliyunTemplate, ""},
	"GetSmsSign":       {(*Server).aliyunSign, ""},
}

// answerAliyun runs the checks of the gateway, then the action.
func (s *Server) answerAliyun(call *aliyunCall) answer {
	if refusal := s.authenticateAliyun(call); refusal != nil {
		return call.refuse(refusal)
	}
	if call.version() != aliyunVersion {
		return call.refuse(refuse400("InvalidVersion", "Specified parameter Version is not valid."))
	}
	if action, known := aliyunActions[call.action()]; known {
		return action.do(s, call)
	}
	return call.refuse(&aliyunRefusal{
		"InvalidAction.NotFound", "Specified api is not found, please check your url and method.", http.StatusNotFound,
	})
}

func readAliyun(w http.ResponseWriter, r *http.Request) (*aliyunCall, *aliyunRefusal) {
	call := &aliyunCall{
		method: r.Method, host: r.Host, header: r.Header,
		requestID: strings.ToUpper(uuid.NewString()),
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return call, &aliyunRefusal{
			"UnsupportedHTTPMethod", "This http method is not supported.",
			http.StatusMethodNotAllowed,
		}
	}
	var err error
	if call.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxVendorBody)); err != nil {
		return call, &aliyunRefusal{
			"RequestEntityTooLarge", "The request body is too large.",
			http.StatusRequestEntityTooLarge,
		}
	}
	malformed := &aliyunRefusal{
		"InvalidParameter", "The request parameters are not well formed.",
		http.StatusBadRequest,
	}
	if call.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return call, malformed
	}
	call.params = url.Values{}
	for name, values := range call.query {
		call.params[name] = append([]string(nil), values...)
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType != "application/x-www-form-urlencoded" {
		return call, nil
	}
	form, err := url.ParseQuery(string(call.body))
	if err != nil {
		return call, malformed
	}
	for name, values := range form {
		call.params[name] = append(call.params[name], values...)
	}
	return call, nil
}

// fromHeader returns a common parameter, which V3 clients send as a header instead.
func (c *aliyunCall) fromHeader(param, header string) string {
	if c.isV3() {
		return c.header.Get(header)
	}
	return c.params.Get(param)
}

func (c *aliyunCall) action() string  { return c.fromHeader("Action", "x-acs-action") }
func (c *aliyunCall) version() string { return c.fromHeader("Version", "x-acs-version") }

// isV3 reports whether the request has the newer signature, whose clients alone set an Authorization header.
func (c *aliyunCall) isV3() bool { return c.header.Get("Authorization") != "" }

// wantsXML follows Format, whose default is XML for the older signature. The SDKs of V3 read JSON only.
func (c *aliyunCall) wantsXML() bool {
	return !c.isV3() && !strings.EqualFold(c.params.Get("Format"), "JSON")
}

func (c *aliyunCall) answer(status int, document any) answer {
	return render(status, c.wantsXML(), document)
}

// An aliyunRefusal is an error of the gateway (status other than 200) or of the SMS product (200).
type aliyunRefusal struct {
	code    string
	message string
	status  int
}

func refuse400(code, message string) *aliyunRefusal {
	return &aliyunRefusal{code, message, http.StatusBadRequest}
}

func business(code, message string) *aliyunRefusal {
	return &aliyunRefusal{code, message, http.StatusOK}
}

func missing(name string) *aliyunRefusal {
	return refuse400("Missing"+name, name+" is mandatory for this action.")
}

// aliyunRefusalFor returns the vendor's message and HTTP status for a code, or plausible ones.
func aliyunRefusalFor(code string) *aliyunRefusal {
	messages := map[string]string{
		"isp.SYSTEM_ERROR":            "系统错误，请稍后重试",
		"isv.BLACK_KEY_CONTROL_LIMIT": "黑名单管控",
		"isv.BUSINESS_LIMIT_CONTROL":  "触发天级流控Permits:10",
		"isv.AMOUNT_NOT_ENOUGH":       "账户余额不足",
		"isv.MOBILE_NUMBER_ILLEGAL":   "非法手机号",
		"isv.OUT_OF_SERVICE":          "业务停机",
		"biz.FREQUENCY":               "check frequency failed",
		"BUSINESS_LIMIT_CONTROL":      "触发号码天级流控",
		"MOBILE_NUMBER_ILLEGAL":       "手机号码格式错误",
		"FUNCTION_NOT_OPENED":         "没有开通融合认证功能",
		"Throttling.User":             "Request was denied due to user flow control.",
		"ServiceUnavailable":          "The request has failed due to a temporary failure of the server.",
	}
	statuses := map[string]int{
		"InvalidAccessKeyId.NotFound": http.StatusNotFound,
		"InvalidAction.NotFound":      http.StatusNotFound,
		"Forbidden.RAM":               http.StatusForbidden,
		"NoPermission":                http.StatusForbidden,
		"InternalError":               http.StatusInternalServerError,
		"ServiceUnavailable":          http.StatusServiceUnavailable,
	}
	refusal := &aliyunRefusal{code, messages[code], statuses[code]}
	if refusal.message == "" {
		refusal.message = "The sandbox was asked to answer with this code."
	}
	if refusal.status == 0 {
		refusal.status = http.StatusBadRequest
		if lower := strings.ToLower(code); strings.HasPrefix(lower, "isv.") || strings.HasPrefix(lower, "isp.") || strings.HasPrefix(lower, "biz.") {
			refusal.status = http.StatusOK
		}
	}
	return refusal
}

// aliyunError is the gateway's error document.
type aliyunError struct {
	XMLName   xml.Name `json:"-" xml:"Error"`
	RequestID string   `json:"RequestId" xml:"RequestId"`
	HostID    string   `json:"HostId" xml:"HostId"`
	Code      string   `json:"Code" xml:"Code"`
	Message   string   `json:"Message" xml:"Message"`
	Recommend string   `json:"Recommend" xml:"Recommend"`
}

// aliyunSent is the product's answer to SendSms; BizId is absent on errors.
type aliyunSent struct {
	XMLName   xml.Name `json:"-" xml:"SendSmsResponse"`
	Message   string   `json:"Message" xml:"Message"`
	RequestID string   `json:"RequestId" xml:"RequestId"`
	BizID     string   `json:"BizId,omitempty" xml:"BizId,omitempty"`
	Code      string   `json:"Code" xml:"Code"`
}

// refuse renders a refusal in the form that belongs to its status.
func (c *aliyunCall) refuse(r *aliyunRefusal) answer {
	product := "Dysmsapi"
	if c.action() == actionVerify {
		product = "Dypnsapi"
	}
	switch {
	case r.status != http.StatusOK:
		return c.answer(r.status, aliyunError{
			RequestID: c.requestID, HostID: strings.ToLower(product) + ".aliyuncs.com", Code: r.code, Message: r.message,
			Recommend: "https://api.aliyun.com/troubleshoot?q=" + url.QueryEscape(r.code) +
				"&product=" + product + "&requestId=" + c.requestID,
		})
	case product == "Dypnsapi":
		return c.answer(http.StatusOK, aliyunVerified{Code: r.code, Message: r.message, RequestID: c.requestID})
	case c.action() == "QuerySendDetails":
		return c.answer(http.StatusOK, aliyunDetails{
			Code: r.code, Message: r.message, RequestID: c.requestID,
		})
	}
	return c.answer(http.StatusOK, aliyunSent{Code: r.code, Message: r.message, RequestID: c.requestID})
}
