package sandbox

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
)

// A ronglianSMS is the body of TemplateSMS in either format.
type ronglianSMS struct {
	To         string   `json:"to" xml:"to"`
	AppID      string   `json:"appId" xml:"appId"`
	TemplateID string   `json:"templateId" xml:"templateId"`
	Datas      []string `json:"datas" xml:"datas>data"`
	SubAppend  string   `json:"subAppend" xml:"subAppend"`
	RequestID  string   `json:"reqId" xml:"reqId"`
}

// parseRonglianSMS takes what the vendor's own clients send: any XML root, blanks around values, and a
// trailing comma in JSON.
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

// dropTrailingCommas removes each comma that only blanks part from a closing bracket, outside strings.
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
	if len(m.Datas) == 2 {
		return "【云通讯】" + wordsOf(m.TemplateID, "您的") + "验证码是" + m.Datas[0] + "，请于" + m.Datas[1] + "分钟内正确输入"
	}
	return "【云通讯】" + strings.Join(m.Datas, "，")
}

func (m ronglianSMS) code() string {
	if len(m.Datas) > 0 && wordPattern.MatchString(m.Datas[0]) {
		return m.Datas[0]
	}
	return ""
}
