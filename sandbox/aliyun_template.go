package sandbox

import (
	"encoding/xml"
	"net/http"
	"strings"
)

// The values of TemplateStatus, and the endings of template codes that have another one than approved.
const (
	templateInAudit  = "0"
	templateApproved = "1"
	templateRefused  = "2"

	endsInAudit = "990001"
	endsRefused = "990002"
)

func templateStatus(code string) string {
	switch {
	case strings.HasSuffix(code, endsInAudit):
		return templateInAudit
	case strings.HasSuffix(code, endsRefused):
		return templateRefused
	}
	return templateApproved
}

// aliyunTemplateInfo is the answer to GetSmsTemplate, in part.
type aliyunTemplateInfo struct {
	XMLName        xml.Name `json:"-" xml:"GetSmsTemplateResponse"`
	TemplateCode   string   `json:"TemplateCode" xml:"TemplateCode"`
	TemplateStatus string   `json:"TemplateStatus" xml:"TemplateStatus"`
	TemplateType   string   `json:"TemplateType" xml:"TemplateType"`
	Message        string   `json:"Message" xml:"Message"`
	RequestID      string   `json:"RequestId" xml:"RequestId"`
	Code           string   `json:"Code" xml:"Code"`
}

// aliyunTemplate is the action GetSmsTemplate. Every code of the right form is a template of the account.
func (s *Server) aliyunTemplate(c *aliyunCall) answer {
	code := c.params.Get("TemplateCode")
	switch {
	case code == "":
		return c.refuse(*missing("TemplateCode"))
	case !templateCodePattern.MatchString(code):
		return c.refuse(*business("isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板"))
	}
	return c.answer(http.StatusOK, aliyunTemplateInfo{
		TemplateCode: code, TemplateStatus: templateStatus(code), TemplateType: "0",
		Message: "OK", RequestID: c.requestID, Code: "OK",
	})
}
