package sandbox

import "cmp"

// Credentials are the made-up keys that a sandbox accepts. They are public and protect nothing.
type Credentials struct {
	// Aliyun is the access key pair that signs Aliyun requests.
	Aliyun AliyunCredentials `json:"aliyun"`
	// AliyunVerify is what Aliyun gives to SMS authentication, whose requests the same key signs.
	AliyunVerify AliyunVerifyCredentials `json:"aliyun_verify"`
	// Ronglian is the account, its token and the application.
	Ronglian RonglianCredentials `json:"ronglian"`
	// Tencent is the API key and the application.
	Tencent TencentCredentials `json:"tencent"`
	// HTTP is the secret of the signed HTTP sender.
	HTTP HTTPCredentials `json:"http"`
	// Geetest is the account of the captchas.
	Geetest GeetestCredentials `json:"geetest"`
	// SMTP is the login of the mail server.
	SMTP SMTPCredentials `json:"smtp"`
}

// AliyunCredentials are an Aliyun access key pair. The defaults are "sandbox-access-key-id" and
// "sandbox-access-key-secret".
type AliyunCredentials struct {
	// AccessKeyID names the key; it travels with each request.
	AccessKeyID string `json:"access_key_id"`
	// AccessKeySecret signs and never travels.
	AccessKeySecret string `json:"access_key_secret"`
}

// AliyunVerifyCredentials are a given sign name (赠送签名) and a given template. The defaults are "速通互联验证码" and "100001";
// the templates 100002 to 100005 are given as well.
type AliyunVerifyCredentials struct {
	// SignName is the only one that may be used.
	SignName string `json:"sign_name"`
	// TemplateCode is the template for sign-in and registration.
	TemplateCode string `json:"template_code"`
}

// RonglianCredentials are a Ronglian account with one application. The defaults are 32 characters
// long, as the vendor's are.
type RonglianCredentials struct {
	// AccountSID names the account and is part of each URL.
	AccountSID string `json:"account_sid"`
	// AuthToken signs and never travels.
	AuthToken string `json:"auth_token"`
	// AppID names the application in the body of each request.
	AppID string `json:"app_id"`
}

// TencentCredentials are a Tencent Cloud API key with one SMS application. The defaults are "sandbox-secret-id",
// "sandbox-secret-key" and "1400000001".
type TencentCredentials struct {
	// SecretID names the key; it travels with each request.
	SecretID string `json:"secret_id"`
	// SecretKey signs and never travels.
	SecretKey string `json:"secret_key"`
	// SDKAppID names the application in the body of each request.
	SDKAppID string `json:"sdk_app_id"`
}

// HTTPCredentials are the secret that signs the requests of the signed HTTP sender, and our reports of its messages.
type HTTPCredentials struct {
	// Secret is whsec_ and base64; the default is the base64 of "sandbox-webhook-secret-32-bytes!".
	Secret string `json:"secret"`
}

// GeetestCredentials are a captcha id of GeeTest with its key. The defaults have the vendor's length of 32 characters.
type GeetestCredentials struct {
	// CaptchaID is public.
	CaptchaID string `json:"captcha_id"`
	// Key signs and never travels.
	Key string `json:"key"`
}

// SMTPCredentials are the login of the mail server. The defaults are "sandbox@example.com" and
// "sandbox-smtp-password".
type SMTPCredentials struct {
	// Username is the mailbox, an address.
	Username string `json:"username"`
	// Password is what large Chinese mail services call the authorisation code.
	Password string `json:"password"`
}

func (c Credentials) withDefaults() Credentials {
	return Credentials{
		Aliyun: AliyunCredentials{
			AccessKeyID:     cmp.Or(c.Aliyun.AccessKeyID, "sandbox-access-key-id"),
			AccessKeySecret: cmp.Or(c.Aliyun.AccessKeySecret, "sandbox-access-key-secret"),
		},
		AliyunVerify: AliyunVerifyCredentials{
			SignName:     cmp.Or(c.AliyunVerify.SignName, "速通互联验证码"),
			TemplateCode: cmp.Or(c.AliyunVerify.TemplateCode, "100001"),
		},
		Ronglian: RonglianCredentials{
			AccountSID: cmp.Or(c.Ronglian.AccountSID, "5a4db0c0000000000000000000000001"),
			AuthToken:  cmp.Or(c.Ronglian.AuthToken, "5a4db0c0000000000000000000000002"),
			AppID:      cmp.Or(c.Ronglian.AppID, "5a4db0c0000000000000000000000003"),
		},
		Tencent: TencentCredentials{
			SecretID:  cmp.Or(c.Tencent.SecretID, "sandbox-secret-id"),
			SecretKey: cmp.Or(c.Tencent.SecretKey, "sandbox-secret-key"),
			SDKAppID:  cmp.Or(c.Tencent.SDKAppID, "1400000001"),
		},
		HTTP: HTTPCredentials{Secret: cmp.Or(c.HTTP.Secret, "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC0zMi1ieXRlcyE=")},
		Geetest: GeetestCredentials{
			CaptchaID: cmp.Or(c.Geetest.CaptchaID, "5a4db0c0000000000000000000000004"),
			Key:       cmp.Or(c.Geetest.Key, "5a4db0c0000000000000000000000005"),
		},
		SMTP: SMTPCredentials{
			Username: cmp.Or(c.SMTP.Username, "sandbox@example.com"),
			Password: cmp.Or(c.SMTP.Password, "sandbox-smtp-password"),
		},
	}
}
