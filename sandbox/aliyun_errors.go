package sandbox

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
)

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

func invalidVersion() aliyunRefusal {
	return aliyunRefusal{"InvalidVersion", "Specified parameter Version is not valid.", http.StatusBadRequest}
}

func invalidAction() aliyunRefusal {
	return aliyunRefusal{
		"InvalidAction.NotFound", "Specified api is not found, please check your url and method.",
		http.StatusNotFound,
	}
}

// aliyunRefusalFor returns the vendor's wording and HTTP status for a code, or plausible ones.
func aliyunRefusalFor(code string) aliyunRefusal {
	messages := map[string]string{
		"isp.SYSTEM_ERROR":            "系统错误，请稍后重试",
		"isv.BLACK_KEY_CONTROL_LIMIT": "黑名单管控",
		"isv.BUSINESS_LIMIT_CONTROL":  "触发天级流控Permits:10",
		"isv.AMOUNT_NOT_ENOUGH":       "账户余额不足",
		"isv.MOBILE_NUMBER_ILLEGAL":   "非法手机号",
		"isv.OUT_OF_SERVICE":          "业务停机",
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
	refusal := aliyunRefusal{code, messages[code], statuses[code]}
	if refusal.message == "" {
		refusal.message = "The sandbox was asked to answer with this code."
	}
	if refusal.status == 0 {
		refusal.status = http.StatusBadRequest
		if lower := strings.ToLower(code); strings.HasPrefix(lower, "isv.") || strings.HasPrefix(lower, "isp.") {
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

// refuse renders a refusal in the shape that belongs to its status.
func (c *aliyunCall) refuse(r aliyunRefusal) answer {
	if r.status != http.StatusOK {
		return c.answer(r.status, aliyunError{
			RequestID: c.requestID, HostID: "dysmsapi.aliyuncs.com", Code: r.code, Message: r.message,
			Recommend: "https://api.aliyun.com/troubleshoot?q=" + url.QueryEscape(r.code) +
				"&product=Dysmsapi&requestId=" + c.requestID,
		})
	}
	if c.action() == "QuerySendDetails" {
		return c.answer(http.StatusOK, aliyunDetails{
			Code: r.code, Message: r.message, RequestID: c.requestID,
		})
	}
	return c.answer(http.StatusOK, aliyunSent{Code: r.code, Message: r.message, RequestID: c.requestID})
}
