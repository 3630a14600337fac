package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"

	"github.com/google/uuid"
)

const tencentVersion = "2021-01-11"

// A tencentCall is one request that is not checked yet.
type tencentCall struct {
	method    string
	host      string
	header    http.Header
	body      []byte
	requestID string
}

// A tencentRefusal refuses a whole request, or in the status of a number one message.
type tencentRefusal struct{ code, message string }

func (c *tencentCall) action() string { return c.header.Get("X-TC-Action") }

// serveTencent answers API 3.0. It ignores the path: a signature always covers "/", and SDKs that cannot set a path call the
// root. Every answer of the vendor itself has HTTP status 200.
func (s *Server) serveTencent(w http.ResponseWriter, r *http.Request) {
	call := &tencentCall{method: r.Method, host: r.Host, header: r.Header, requestID: uuid.NewString()}
	var err error
	if call.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxVendorBody)); err != nil {
		call.refuse(tencentRefusal{"RequestSizeLimitExceeded", "The request size exceeds the upper limit."}).write(w)
		return
	}
	if s.tallyTencent(w, r, call) {
		return
	}
	if call.action() != "SendSms" {
		s.answerTencent(call).write(w)
		return
	}
	s.answerSend(w, r, vendorTencent,
		func(f Fault) answer {
			a := call.refuse(tencentRefusalFor(f.Code))
			if f.Status != 0 {
				a.status = f.Status
			}
			return a
		},
		func() answer { return s.answerTencent(call) })
}

var regionPattern = regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)+$`)

// answerTencent runs the checks of the gateway, then the action.
func (s *Server) answerTencent(call *tencentCall) answer {
	if refusal, refused := s.authenticateTencent(call); refused {
		return call.refuse(refusal)
	}
	actions := map[string]func(*tencentCall) answer{
		"SendSms": s.tencentSend, "PullSmsSendStatusByPhoneNumber": s.tencentByNumber, "PullSmsSendStatus": s.tencentPull,
		"DescribeSmsTemplateList": s.tencentTemplates,
	}
	do, known := actions[call.action()]
	switch region := call.header.Get("X-TC-Region"); {
	case call.header.Get("X-TC-Version") != tencentVersion:
		return call.refuse(tencentRefusal{"NoSuchVersion", "The requested API version does not exist."})
	case !known:
		return call.refuse(tencentRefusal{"InvalidAction", "The request action is invalid or does not exist."})
	case region == "":
		return call.refuse(missingTencent("Region"))
	case !regionPattern.MatchString(region):
		return call.refuse(tencentRefusal{"UnsupportedRegion", "The request does not support the region."})
	}
	return do(call)
}

// answer puts a document into the envelope of every answer.
func (c *tencentCall) answer(document any) answer {
	return render(http.StatusOK, false, struct{ Response any }{document})
}

func (c *tencentCall) refuse(r tencentRefusal) answer {
	type refusal struct{ Code, Message string }
	return c.answer(struct {
		Error     refusal
		RequestID string `json:"RequestId"`
	}{refusal{r.code, r.message}, c.requestID})
}

func missingTencent(parameter string) tencentRefusal {
	return tencentRefusal{"MissingParameter", "The request is missing a required parameter `" + parameter + "`."}
}

// read decodes the body as strictly as the vendor: names match in case, other fields than the listed ones are refused, and so
// are numbers in place of strings. The first of the fields are required.
func (c *tencentCall) read(into any, required int, fields ...string) (refusal tencentRefusal, refused bool) {
	var given map[string]json.RawMessage
	if json.Unmarshal(c.body, &given) != nil {
		return tencentRefusal{"InvalidParameter", "The body is not a JSON object."}, true
	}
	for _, field := range fields[:required] {
		if _, ok := given[field]; !ok {
			return missingTencent(field), true
		}
	}
	for field := range given {
		if !slices.Contains(fields, field) {
			return tencentRefusal{"UnknownParameter", "The parameter `" + field + "` is not recognized."}, true
		}
	}
	if err := json.NewDecoder(bytes.NewReader(c.body)).Decode(into); err != nil {
		return tencentRefusal{"InvalidParameter", "The value type of a parameter is not valid."}, true
	}
	return tencentRefusal{}, false
}

// foreignApp is the refusal of an application that does not belong to the key.
var foreignApp = tencentRefusal{"UnauthorizedOperation.SmsSdkAppIdVerifyFail", "Failed to verify the SmsSdkAppId."}

// tencentRefusalFor returns the vendor's words for a code, or plausible ones.
func tencentRefusalFor(code string) tencentRefusal {
	message, ok := map[string]string{
		"RequestLimitExceeded":                             "The number of requests exceeds the frequency limit.",
		"FailedOperation.PhoneNumberInBlacklist":           "the mobile number is in the blacklist",
		"FailedOperation.InsufficientBalanceInSmsPackage":  "insufficient balance in SMS package",
		"FailedOperation.SignatureIncorrectOrUnapproved":   "the signature is incorrect or not approved",
		"FailedOperation.TemplateIncorrectOrUnapproved":    "the template is not approved",
		"InvalidParameterValue.IncorrectPhoneNumber":       "incorrect mobile number",
		"LimitExceeded.PhoneNumberDailyLimit":              "the messages to one number exceed the upper limit of a day",
		"LimitExceeded.PhoneNumberThirtySecondLimit":       "the messages to one number exceed the upper limit of 30 seconds",
		"InternalError.Timeout":                            "request timeout",
		"UnauthorizedOperation.SerivceSuspendDueToArrears": "service is suspended due to arrears",
	}[code]
	if !ok {
		message = "The sandbox was asked to answer with this code."
	}
	return tencentRefusal{code, message}
}
