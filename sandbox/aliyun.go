package sandbox

import (
	"encoding/json"
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

	// maxVendorBody bounds the bodies of both SMS vendors. A list of 1,000 numbers needs 15 kB.
	maxVendorBody = 64 << 10
)

// An aliyunCall is one request, before anything in it was checked.
type aliyunCall struct {
	method    string
	host      string
	header    http.Header
	query     url.Values
	params    url.Values // query and form together
	body      []byte
	requestID string
}

// serveAliyun answers the RPC interface. The path is not looked at: signature v1 always signs "/", and
// SDKs that cannot set a path call the root.
func (s *Server) serveAliyun(w http.ResponseWriter, r *http.Request) {
	if s.tallyAliyun(w, r) {
		return
	}
	call, refusal := readAliyun(w, r)
	if refusal != nil {
		call.refuse(*refusal).write(w)
		return
	}
	switch call.action() {
	case "SendSms":
	case "GetSmsTemplate":
		s.answerAliyun(call, s.aliyunTemplate).write(w)
		return
	default:
		s.answerAliyun(call, s.aliyunQuery).write(w)
		return
	}
	s.answerSend(w, r, vendorAliyun,
		func(f Fault) answer {
			refusal := aliyunRefusalFor(f.Code)
			if f.Status != 0 {
				refusal.status = f.Status
			}
			return call.refuse(refusal)
		},
		func() answer { return s.answerAliyun(call, s.aliyunSend) })
}

// answerAliyun runs the checks of the gateway, then do.
func (s *Server) answerAliyun(call *aliyunCall, do func(*aliyunCall) answer) answer {
	if refusal := s.authenticateAliyun(call); refusal != nil {
		return call.refuse(*refusal)
	}
	if call.version() != aliyunVersion {
		return call.refuse(invalidVersion())
	}
	switch call.action() {
	case "SendSms", "QuerySendDetails", "GetSmsTemplate":
		return do(call)
	default:
		return call.refuse(invalidAction())
	}
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

// isV3 tells the two signature methods apart as the vendor's clients make it possible: only the
// newer one sets an Authorization header.
func (c *aliyunCall) isV3() bool { return c.header.Get("Authorization") != "" }

// wantsXML follows Format, whose default at the vendor is XML for the old signature. V3 clients ask
// by header, and their SDKs read JSON only.
func (c *aliyunCall) wantsXML() bool {
	return !c.isV3() && !strings.EqualFold(c.params.Get("Format"), "JSON")
}

// answer renders a document; its XML root comes from its XMLName field.
func (c *aliyunCall) answer(status int, document any) answer {
	if !c.wantsXML() {
		body, _ := json.Marshal(document) // plain structs of strings cannot fail
		return answer{status: status, contentType: typeJSON, body: body}
	}
	body, _ := xml.Marshal(document)
	return answer{status: status, contentType: typeXML, body: append([]byte(xml.Header), body...)}
}
