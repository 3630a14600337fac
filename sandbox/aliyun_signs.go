package sandbox

import (
	"encoding/xml"
	"net/http"
	"strings"
)

// The values of SignStatus and RegisterStatus.
const (
	signInAudit  = 0
	signApproved = 1
	signRefused  = 2

	filingRefused = 0
	filingUntried = 1
	filingLapsed  = 2
	filingProven  = 3
	filingPending = -1
	filingMissing = -2
)

// A magicSign is an ending of sign names that has another state than approved and filed with all carriers.
type magicSign struct {
	ending  string
	status  int
	filings [3]int // with China Mobile, China Unicom, China Telecom
	reason  string // the vendor's code for filings that are not proven
}

func magicSigns() []magicSign {
	return []magicSign{
		{"审核中", signInAudit, [3]int{filingMissing, filingMissing, filingMissing}, "NON_REGISTER"},
		{"审核失败", signRefused, [3]int{filingMissing, filingMissing, filingMissing}, "NON_REGISTER"},
		{"未报备", signApproved, [3]int{filingMissing, filingMissing, filingMissing}, "UNBINDING_QUA"},
		{"部分报备", signApproved, [3]int{filingProven, filingPending, filingRefused}, "QUALIFICATION_ERROR"},
		{"待验证", signApproved, [3]int{filingUntried, filingUntried, filingUntried}, "DETECTING"},
		{"报备失效", signApproved, [3]int{filingProven, filingLapsed, filingProven}, "NO_SEND_RECORD"},
	}
}

// signOf returns the state of a sign name. Every name without one of the endings is approved and filed.
func signOf(name string) magicSign {
	for _, m := range magicSigns() {
		if strings.HasSuffix(name, m.ending) {
			return m
		}
	}
	return magicSign{status: signApproved, filings: [3]int{filingProven, filingProven, filingProven}}
}

// aliyunSignInfo is the answer to GetSmsSign, in part.
type aliyunSignInfo struct {
	XMLName    xml.Name       `json:"-" xml:"GetSmsSignResponse"`
	SignName   string         `json:"SignName" xml:"SignName"`
	SignStatus int            `json:"SignStatus" xml:"SignStatus"`
	SignTag    string         `json:"SignTag" xml:"SignTag"`
	Filings    []aliyunFiling `json:"SignIspRegisterDetailList" xml:"SignIspRegisterDetailList"`
	Message    string         `json:"Message" xml:"Message"`
	RequestID  string         `json:"RequestId" xml:"RequestId"`
	Code       string         `json:"Code" xml:"Code"`
}

type aliyunFiling struct {
	OperatorCode   string         `json:"OperatorCode" xml:"OperatorCode"`
	RegisterStatus int            `json:"RegisterStatus" xml:"RegisterStatus"`
	Reasons        []aliyunReason `json:"RegisterStatusReasons,omitempty" xml:"RegisterStatusReasons,omitempty"`
}

type aliyunReason struct {
	ReasonCode string `json:"ReasonCode" xml:"ReasonCode"`
}

// aliyunSign is the action GetSmsSign.
func (s *Server) aliyunSign(c *aliyunCall) answer {
	name := c.params.Get("SignName")
	switch {
	case name == "":
		return c.refuse(missing("SignName"))
	case !usableSign(name):
		return c.refuse(business("isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名"))
	}
	sign := signOf(name)
	info := aliyunSignInfo{SignName: name, SignStatus: sign.status, SignTag: "2", Message: "OK", RequestID: c.requestID, Code: "OK"}
	for i, operator := range []string{"mobile", "unicom", "telecom"} {
		f := aliyunFiling{OperatorCode: operator, RegisterStatus: sign.filings[i]}
		if f.RegisterStatus != filingProven {
			f.Reasons = []aliyunReason{{sign.reason}}
		}
		info.Filings = append(info.Filings, f)
	}
	return c.answer(http.StatusOK, info)
}
