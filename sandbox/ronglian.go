package sandbox

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	ronglianOK   = "000000"
	ronglianTime = "20060102150405"

	maxRonglianNumbers = 200
)

// A ronglianCall is one request to an account's SMS interface.
type ronglianCall struct {
	body    []byte
	xmlBody bool
	xmlBack bool
}

// ronglianAnswer is every answer of this vendor. JSON and XML differ in the case of one name only.
type ronglianAnswer struct {
	XMLName    xml.Name         `json:"-" xml:"Response"`
	StatusCode string           `json:"statusCode" xml:"statusCode"`
	StatusMsg  string           `json:"statusMsg,omitempty" xml:"statusMsg,omitempty"`
	Sent       *ronglianSent    `json:"templateSMS,omitempty" xml:"TemplateSMS,omitempty"`
	Reports    []ronglianReport `json:"reports,omitempty" xml:"reports>report,omitempty"`
}

type ronglianSent struct {
	SMSMessageSID string `json:"smsMessageSid" xml:"smsMessageSid"`
	DateCreated   string `json:"dateCreated" xml:"dateCreated"`
}

// serveRonglian answers POST …/Accounts/{sid}/SMS/{operation}. Every answer of the vendor itself has
// HTTP status 200; the code is in the body.
func (s *Server) serveRonglian(w http.ResponseWriter, r *http.Request) {
	call := readRonglian(w, r)
	switch r.PathValue("operation") {
	case "TemplateSMS":
		s.answerSend(w, r, vendorRonglian,
			func(f Fault) answer {
				a := call.refuse(f.Code)
				if f.Status != 0 {
					a.status = f.Status
				}
				return a
			},
			func() answer { return s.answerRonglian(r, call, s.ronglianSend) })
	case "GetArrived":
		s.answerRonglian(r, call, s.ronglianReports).write(w)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) answerRonglian(r *http.Request, call *ronglianCall, do func(*ronglianCall) answer) answer {
	if code := s.authenticateRonglian(r); code != "" {
		return call.refuse(code)
	}
	if len(strings.TrimSpace(string(call.body))) == 0 {
		return call.refuse("112301")
	}
	return do(call)
}

// readRonglian chooses the formats: that of the body by Content-Type, that of the answer by Accept or else like the body. A body
// that is too large is read as a truncated one, so that its parser refuses it.
func readRonglian(w http.ResponseWriter, r *http.Request) *ronglianCall {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxVendorBody))
	if err != nil {
		body = []byte("{")
	}
	c := &ronglianCall{body: body}
	c.xmlBody = namesFormat(r.Header.Get("Content-Type"), strings.HasPrefix(strings.TrimSpace(string(body)), "<"))
	c.xmlBack = namesFormat(r.Header.Get("Accept"), c.xmlBody)
	return c
}

// namesFormat reports whether a header value asks for XML, or otherwise when it names neither format.
func namesFormat(header string, otherwise bool) bool {
	switch header = strings.ToLower(header); {
	case strings.Contains(header, "json"):
		return false
	case strings.Contains(header, "xml"):
		return true
	default:
		return otherwise
	}
}

func (c *ronglianCall) answer(document ronglianAnswer) answer {
	return render(http.StatusOK, c.xmlBack, document)
}

func (c *ronglianCall) refuse(code string) answer {
	return c.answer(ronglianAnswer{StatusCode: code, StatusMsg: ronglianMessage(code)})
}

var requestIDPattern = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)

// ronglianSend is the operation TemplateSMS.
func (s *Server) ronglianSend(call *ronglianCall) answer {
	sms, ok := parseRonglianSMS(call.body, call.xmlBody)
	if !ok {
		return call.refuse("112616")
	}
	numbers, code := s.checkRonglianSMS(sms)
	if code != "" {
		return call.refuse(code)
	}
	now := s.config.Now()
	// The id must not repeat on the same natural day of the vendor.
	dayID := now.In(beijing).Format("20060102") + sms.RequestID
	if sms.RequestID != "" && s.requestIDs.has(dayID) {
		return call.refuse("160054")
	}
	lost := false
	for _, number := range numbers {
		magic := magicFor(number)
		if magic.Ronglian != "" {
			return call.refuse(magic.Ronglian)
		}
		lost = lost || magic.Reset
	}
	if full, ok := s.ronglianCounts.take(now, numbers...); !ok {
		if full.span < 24*time.Hour {
			return call.refuse("160038")
		}
		return call.refuse("160040")
	}
	if sms.RequestID != "" && !s.requestIDs.add(dayID, now) {
		return call.refuse("160054") // another request with the same id came in between
	}
	sid := randomHex(16)
	s.keepSMS(vendorRonglian, numbers, record{
		Message:  Message{From: sms.AppID, Text: sms.text(), Code: sms.code()},
		vendorID: sid, reference: sms.RequestID, template: sms.TemplateID,
	}, now)
	a := call.answer(ronglianAnswer{StatusCode: ronglianOK, Sent: &ronglianSent{
		SMSMessageSID: sid, DateCreated: now.In(beijing).Format(ronglianTime),
	}})
	a.lost = lost
	return a
}

// checkRonglianSMS returns the numbers in normal form, or the code that refuses the request.
func (s *Server) checkRonglianSMS(sms ronglianSMS) (numbers []string, code string) {
	switch {
	case sms.AppID == "":
		return nil, "111169"
	case sms.AppID != s.config.Credentials.Ronglian.AppID:
		return nil, "111181"
	case sms.TemplateID == "":
		return nil, "112307"
	case !digits(sms.TemplateID):
		return nil, "112318"
	case sms.To == "":
		return nil, "112300"
	case len(sms.RequestID) > 32 || sms.RequestID != "" && !requestIDPattern.MatchString(sms.RequestID):
		return nil, "160055"
	case sms.SubAppend != "" && (len(sms.SubAppend) > 4 || !digits(sms.SubAppend)):
		return nil, "112312"
	}
	return ronglianNumbers(sms.To)
}

// ronglianNumbers returns the numbers of a list in normal form, or the code that refuses it.
func ronglianNumbers(list string) (numbers []string, code string) {
	numbers = strings.Split(list, ",")
	if len(numbers) > maxRonglianNumbers {
		return nil, "160048"
	}
	for i, number := range numbers {
		if numbers[i] = normalNumber(number); !dialable(numbers[i]) {
			return nil, "160042"
		}
		if slices.Contains(numbers[:i], numbers[i]) {
			return nil, "160045"
		}
	}
	return numbers, ""
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// A ronglianSMS is the body of TemplateSMS in either format.
type ronglianSMS struct {
	To         string   `json:"to" xml:"to"`
	AppID      string   `json:"appId" xml:"appId"`
	TemplateID string   `json:"templateId" xml:"templateId"`
	Datas      []string `json:"datas" xml:"datas>data"`
	SubAppend  string   `json:"subAppend" xml:"subAppend"`
	RequestID  string   `json:"reqId" xml:"reqId"`
}

// parseRonglianSMS accepts what the vendor's own clients send: any XML root, blanks around values, and a trailing comma in JSON.
func parseRonglianSMS(body []byte, isXML bool) (ronglianSMS, bool) {
	var sms ronglianSMS
	if !parseRonglian(body, isXML, &sms) {
		return ronglianSMS{}, false
	}
	for _, field := range []*string{&sms.To, &sms.AppID, &sms.TemplateID, &sms.SubAppend, &sms.RequestID} {
		*field = strings.TrimSpace(*field)
	}
	for i := range sms.Datas {
		sms.Datas[i] = strings.TrimSpace(sms.Datas[i])
	}
	return sms, true
}

func parseRonglian(body []byte, isXML bool, into any) bool {
	if !isXML {
		return json.Unmarshal(dropTrailingCommas(body), into) == nil
	}
	decoder := xml.NewDecoder(bytes.NewReader(body))
	decoder.Strict = false // the old Python client escapes nothing
	return decoder.Decode(into) == nil
}

// dropTrailingCommas removes each comma, outside strings, that is followed by a closing bracket.
func dropTrailingCommas(body []byte) []byte {
	clean := make([]byte, 0, len(body))
	comma := -1 // where the last comma is, as long as only blanks followed
	inString, escaped := false, false
	for _, c := range body {
		switch {
		case inString:
			inString = escaped || c != '"'
			escaped = !escaped && c == '\\'
		case c == ',':
			comma = len(clean)
		case c == ']' || c == '}':
			if comma >= 0 {
				clean[comma] = ' '
			}
			comma = -1
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			inString, comma = c == '"', -1
		}
		clean = append(clean, c)
	}
	return clean
}

// text renders one of [Templates] or the vendor's test template, whose variables are a code and its minutes.
func (m ronglianSMS) text() string {
	if len(m.Datas) == 2 && m.Datas[0] == m.code() {
		return "【云通讯】" + wordsOf(m.TemplateID, "您的") + "验证码是" + m.Datas[0] + "，请于" + m.Datas[1] + "分钟内正确输入"
	}
	return "【云通讯】" + strings.Join(m.Datas, "，")
}

// code is the variable that looks like one: the order of the variables is the template's.
func (m ronglianSMS) code() string {
	for _, isCode := range []*regexp.Regexp{digitsPattern, wordPattern} {
		if i := slices.IndexFunc(m.Datas, isCode.MatchString); i >= 0 {
			return m.Datas[i]
		}
	}
	return ""
}
