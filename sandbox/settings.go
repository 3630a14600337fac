package sandbox

import (
	"net"
	"strings"
)

// Settings returns the environment that makes Usher take the server for all its vendors and its mail server. caFile is the path
// of a file with the PEM of [Server.SMTPCA].
func (s *Server) Settings(caFile string) map[string]string {
	return SettingsOf(s.Credentials(), s.HTTPAddr(), s.SMTPAddr(), caFile)
}

// SettingsOf is [Server.Settings] of a server in another process, which tells its credentials and certificate over HTTP.
func SettingsOf(keys Credentials, httpAddr, smtpAddr, caFile string) map[string]string {
	host, port, _ := net.SplitHostPort(smtpAddr) // an address of a listener has both
	base := "http://" + httpAddr
	settings := map[string]string{
		"USHER_ALIYUN_ACCESS_KEY_ID":     keys.Aliyun.AccessKeyID,
		"USHER_ALIYUN_ACCESS_KEY_SECRET": keys.Aliyun.AccessKeySecret,
		"USHER_ALIYUN_SIGN_NAME":         "Usher",
		"USHER_ALIYUN_TEMPLATE_CODE":     "SMS_71390007",
		"USHER_ALIYUN_ENDPOINT":          base + "/aliyun/",
		"USHER_RONGLIAN_ACCOUNT_SID":     keys.Ronglian.AccountSID,
		"USHER_RONGLIAN_AUTH_TOKEN":      keys.Ronglian.AuthToken,
		"USHER_RONGLIAN_APP_ID":          keys.Ronglian.AppID,
		"USHER_RONGLIAN_TEMPLATE_ID":     "1",
		"USHER_RONGLIAN_ENDPOINT":        base + "/ronglian",
		"USHER_TENCENT_SECRET_ID":        keys.Tencent.SecretID,
		"USHER_TENCENT_SECRET_KEY":       keys.Tencent.SecretKey,
		"USHER_TENCENT_SDK_APP_ID":       keys.Tencent.SDKAppID,
		"USHER_TENCENT_SIGN_NAME":        "Usher",
		"USHER_TENCENT_TEMPLATE_ID":      "1110",
		"USHER_TENCENT_ENDPOINT":         base + "/tencent/",
		"USHER_HTTP_URL":                 base + "/http/",
		"USHER_HTTP_QUERY_URL":           base + "/http/query",
		"USHER_HTTP_SECRET":              keys.HTTP.Secret,
		"USHER_GEETEST_CAPTCHA_ID":       keys.Geetest.CaptchaID,
		"USHER_GEETEST_KEY":              keys.Geetest.Key,
		"USHER_GEETEST_ENDPOINT":         base + "/geetest",
		"USHER_GEETEST_SCRIPT":           base + "/geetest/v4/gt4.js",
		"USHER_SMTP_HOST":                host,
		"USHER_SMTP_PORT":                port,
		"USHER_SMTP_TLS":                 "starttls",
		"USHER_SMTP_USERNAME":            keys.SMTP.Username,
		"USHER_SMTP_PASSWORD":            keys.SMTP.Password,
		"USHER_SMTP_CA_FILE":             caFile,
		"USHER_MAIL_FROM":                keys.SMTP.Username,

		"USHER_ALIYUN_VERIFY_SIGN_NAME":                    keys.AliyunVerify.SignName,
		"USHER_ALIYUN_VERIFY_TEMPLATE_CODE":                keys.AliyunVerify.TemplateCode,
		"USHER_ALIYUN_VERIFY_TEMPLATE_CODE_RESET_PASSWORD": "100003",
		"USHER_ALIYUN_VERIFY_TEMPLATE_CODE_CHANGE_MOBILE":  "100004",
		"USHER_ALIYUN_VERIFY_TEMPLATE_CODE_UNDO_CHANGE":    "100005",
		"USHER_ALIYUN_VERIFY_ENDPOINT":                     base + "/aliyun/",
	}
	for _, template := range Templates() {
		purpose := strings.ToUpper(template.Purpose)
		settings["USHER_ALIYUN_TEMPLATE_CODE_"+purpose] = template.Aliyun
		settings["USHER_RONGLIAN_TEMPLATE_ID_"+purpose] = template.Ronglian
		settings["USHER_TENCENT_TEMPLATE_ID_"+purpose] = template.Tencent
	}
	return settings
}
