package sandbox

import (
	"net/http"
	"strings"
)

// A magicNumber is an ending of phone numbers that forces an outcome at all SMS vendors. It has six digits, so that the random
// numbers of a load test almost never have one.
type magicNumber struct {
	Ending   string
	Outcome  string
	Aliyun   string     // refusing code, or empty
	Verify   string     // refusing code of Aliyun's SMS authentication, or empty
	Ronglian string     // refusing code, or empty
	Tencent  string     // refusing code, or empty
	HTTP     string     // refusing kind, or empty
	Report   reportKind // of an accepted message
	Reset    bool       // kept, but the answer is lost
}

func magicNumbers() []magicNumber {
	return []magicNumber{
		{Ending: "990001", Outcome: "accepted, then reported as undelivered", Report: reportsUndelivered},
		{Ending: "990002", Outcome: "accepted, and no report ever comes", Report: reportsNothing},
		{Ending: "990003", Outcome: "accepted, but the connection closes without an answer", Reset: true},
		{
			Ending: "990004", Outcome: "refused: temporary fault of the vendor",
			Aliyun: "isp.SYSTEM_ERROR", Verify: "SYSTEM_ERROR", Ronglian: "160000",
			Tencent: "RequestLimitExceeded", HTTP: "temporary",
		},
		{
			Ending: "990005", Outcome: "refused: the number is on a blacklist",
			Aliyun: "isv.BLACK_KEY_CONTROL_LIMIT", Verify: "isv.MOBILE_NUMBER_ILLEGAL", Ronglian: "112317",
			Tencent: "FailedOperation.PhoneNumberInBlacklist", HTTP: "rejected",
		},
		{
			Ending: "990006", Outcome: "refused: daily limit of this number",
			Aliyun: "isv.BUSINESS_LIMIT_CONTROL", Verify: "BUSINESS_LIMIT_CONTROL", Ronglian: "160040",
			Tencent: "LimitExceeded.PhoneNumberDailyLimit", HTTP: "rate_limited",
		},
		{
			Ending: "990007", Outcome: "refused: the account's balance is too low",
			Aliyun: "isv.AMOUNT_NOT_ENOUGH", Verify: "isv.AMOUNT_NOT_ENOUGH", Ronglian: "111142",
			Tencent: "FailedOperation.InsufficientBalanceInSmsPackage", HTTP: "misconfigured",
		},
		{
			Ending: "990008", Outcome: "refused: not a number that can get messages",
			Aliyun: "isv.MOBILE_NUMBER_ILLEGAL", Verify: "MOBILE_NUMBER_ILLEGAL", Ronglian: "160042",
			Tencent: "InvalidParameterValue.IncorrectPhoneNumber", HTTP: "rejected",
		},
	}
}

// magicFor returns the forced outcome of a number, or the zero value: accepted and delivered.
func magicFor(number string) magicNumber {
	if len(number) < 6 || !strings.HasPrefix(number[len(number)-6:], "99000") {
		return magicNumber{}
	}
	for _, m := range magicNumbers() {
		if strings.HasSuffix(number, m.Ending) {
			return m
		}
	}
	return magicNumber{}
}

// A magicMailbox is an ending of the local part of a mail address that forces an outcome.
type magicMailbox struct {
	Ending  string
	Outcome string
	Code    int    // refusing reply, or 0
	Message string // of the refusal
	AtData  bool   // the refusal comes after the message instead of at RCPT
	Reset   bool   // kept, but the connection closes without the reply
}

func magicMailboxes() []magicMailbox {
	return []magicMailbox{
		{Ending: "+450", Outcome: "450 at RCPT: busy for now", Code: 450, Message: "Mailbox busy"},
		{Ending: "+550", Outcome: "550 at RCPT: no such mailbox", Code: 550, Message: "User not found"},
		{
			Ending: "+451", Outcome: "451 after the message: local error", Code: 451, AtData: true,
			Message: "Local error in processing",
		},
		{
			Ending: "+554", Outcome: "554 after the message: classified as spam", Code: 554, AtData: true,
			Message: "DT:SPM",
		},
		{Ending: "+reset", Outcome: "kept, but the connection closes without the reply", Reset: true},
	}
}

// magicForMailbox returns the forced outcome of an address, or the zero value.
func magicForMailbox(address string) magicMailbox {
	local, _, _ := strings.Cut(address, "@")
	for _, m := range magicMailboxes() {
		if strings.HasSuffix(local, m.Ending) {
			return m
		}
	}
	return magicMailbox{}
}

// Template is a made-up text that counts as approved at every vendor. Any other template is rendered in words that name no
// purpose.
type Template struct {
	// Purpose is what the code is for, as Usher calls it.
	Purpose string `json:"purpose"`
	// Aliyun is the TemplateCode at Aliyun.
	Aliyun string `json:"aliyun_template_code"`
	// Ronglian is the templateId at Ronglian.
	Ronglian string `json:"ronglian_template_id"`
	// Tencent is the TemplateId at Tencent.
	Tencent string `json:"tencent_template_id"`
	// Words are the beginning of the text, which says what the code is for.
	Words string `json:"words"`
}

// Templates returns all of them.
func Templates() []Template {
	return []Template{
		{"register", "SMS_71390001", "71390001", "71390001", "您正在注册账号，"},
		{"login", "SMS_71390002", "71390002", "71390002", "您正在登录，"},
		{"reset_password", "SMS_71390003", "71390003", "71390003", "您正在重置登录密码，"},
		{"change_mobile", "SMS_71390004", "71390004", "71390004", "您正在将账号的手机号更换为本号码，"},
		{"undo_change", "SMS_71390005", "71390005", "71390005", "您正在撤销账号的更改，"},
	}
}

// wordsOf returns the words of the template that has this id at one of the vendors, or else the given ones.
func wordsOf(id, otherwise string) string {
	for _, t := range Templates() {
		if id == t.Aliyun || id == t.Ronglian || id == t.Tencent {
			return t.Words
		}
	}
	return otherwise
}

func (s *Server) showTemplates(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, Templates())
}
