package sandbox

import "net/http"

// Template is a made-up text that both vendors have approved here. Any other template that a request names is
// rendered in words that name no purpose.
type Template struct {
	// Purpose is what the code is for, as Usher calls it.
	Purpose string `json:"purpose"`
	// Aliyun is the TemplateCode at Aliyun.
	Aliyun string `json:"aliyun_template_code"`
	// Ronglian is the templateId at Ronglian.
	Ronglian string `json:"ronglian_template_id"`
	// Words begin the text and say what the code is for.
	Words string `json:"words"`
}

// Templates returns all of them.
func Templates() []Template {
	return []Template{
		{"register", "SMS_71390001", "71390001", "您正在注册账户，"},
		{"login", "SMS_71390002", "71390002", "您正在登录，"},
		{"reset_password", "SMS_71390003", "71390003", "您正在重置登录密码，"},
		{"change_mobile", "SMS_71390004", "71390004", "您正在将账户的手机号更换为本号码，"},
		{"undo_change", "SMS_71390005", "71390005", "您正在撤销账户的更改，"},
	}
}

// wordsOf returns the words of the template that has this id at either vendor, or of none the given ones.
func wordsOf(id, otherwise string) string {
	for _, t := range Templates() {
		if id == t.Aliyun || id == t.Ronglian {
			return t.Words
		}
	}
	return otherwise
}

func (s *Server) showTemplates(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, Templates())
}
