package api

import (
	"usher/accounts"
	"usher/contact"
	"usher/messages"
	"usher/verify"
)

// Problems that only requests have, beside those of package accounts.
const (
	wrongType accounts.Problem = "wrong_type"
	isTaken   accounts.Problem = "taken"
	isWrong   accounts.Problem = "wrong" // the current password

	notByMail accounts.Problem = "not_by_mail" // a purpose that no code by mail has

	notForApp accounts.Problem = "not_for_app" // a purpose that no app may choose

	isRegistered accounts.Problem = "registered"  // by an earlier request with the same captcha
	canSignIn    accounts.Problem = "can_sign_in" // registered by an earlier request with the same code
)

// Fields that only requests have, beside those of package accounts.
const (
	fieldKind      accounts.Field = "kind"
	fieldPrice     accounts.Field = "price"
	fieldReplaces  accounts.Field = "replaces"
	fieldPurpose   accounts.Field = "purpose"
	fieldCode      accounts.Field = "code"
	fieldLogin     accounts.Field = "login"
	fieldAnswer    accounts.Field = "answer"
	fieldCaptcha   accounts.Field = "captcha"
	fieldToken     accounts.Field = "token"
	fieldVia       accounts.Field = "via"
	fieldAudience  accounts.Field = "aud"
	fieldTransport accounts.Field = "transport"

	fieldChannel        accounts.Field = "channel"
	fieldTo             accounts.Field = "to"
	fieldIP             accounts.Field = "ip"
	fieldNonce          accounts.Field = "nonce"
	fieldProof          accounts.Field = "proof"
	fieldTemplateParams accounts.Field = "template_params"
)

// mistakes collects what is wrong with the fields of a request: people should not have to correct one after the other.
type mistakes accounts.FieldErrors

// err is nil when there are none.
func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return accounts.FieldErrors(m)
}

// require refuses an empty text.
func (m mistakes) require(field accounts.Field, text string) {
	if text == "" {
		m[field] = accounts.Missing
	}
}

// requirePassword refuses a missing current password of an account that has one.
func (m mistakes) requirePassword(account accounts.Account, password string) {
	if account.HasPassword() {
		m.require(accounts.FieldPassword, password)
	}
}

// malformed refuses a text of the wrong form, or an empty one as missing.
func (m mistakes) malformed(field accounts.Field, text string) {
	m[field] = accounts.Malformed
	m.require(field, text)
}

func (m mistakes) mobile(regions contact.Regions, text string) contact.Mobile {
	mobile, err := regions.Parse(text)
	if err != nil {
		m[accounts.FieldMobile] = accounts.MobileProblem(regions, err)
		m.require(accounts.FieldMobile, text)
	}
	return mobile
}

func (m mistakes) email(text string) contact.Email {
	email, err := contact.ParseEmail(text)
	if err != nil {
		m.malformed(accounts.FieldEmail, text)
	}
	return email
}

// recipient parses the number or address of an app's user.
func (m mistakes) recipient(regions contact.Regions, channel messages.Channel, text string) verify.Recipient {
	var (
		to  verify.Recipient
		err error
	)
	switch channel {
	case messages.SMS:
		to, err = regions.Parse(text)
		if err != nil {
			m[fieldTo] = accounts.MobileProblem(regions, err)
		}
	case messages.Email:
		to, err = contact.ParseEmail(text)
		if err != nil {
			m[fieldTo] = accounts.Malformed
		}
	default:
		m.malformed(fieldChannel, string(channel))
	}
	m.require(fieldTo, text)
	return to
}

// code is mobile for a number with a code that was sent to it.
func (m mistakes) code(regions contact.Regions, number, id, digits string) contact.Mobile {
	m.require(accounts.FieldSMSCodeID, id)
	m.require(accounts.FieldSMSCode, digits)
	return m.mobile(regions, number)
}

// wording is a sentence in both languages.
type wording struct{ zh, en string }

func (w wording) in(lang string) string {
	if lang == english {
		return w.en
	}
	return w.zh
}

// fieldWordings says what a field wants, whatever is wrong with it beyond the general problems.
var fieldWordings = map[accounts.Field]map[accounts.Problem]wording{
	accounts.FieldUsername: {
		accounts.Malformed:    {"用户名需要 5 到 20 个文字、数字或下划线", "Use 5 to 20 letters, digits or underscores."},
		accounts.TooShort:     {"用户名至少需要 5 个字符", "The username must have at least 5 characters."},
		accounts.TooLong:      {"用户名最多 20 个字符", "The username can have at most 20 characters."},
		accounts.MixedScripts: {"用户名不能混用不同的文字，例如拉丁字母和西里尔字母", "The username cannot mix scripts, such as Latin and Cyrillic letters."},
		isTaken:               {"这个用户名已被使用，或与已有的用户名过于相似", "This username is taken, or looks too similar to one that is taken."},
	},
	accounts.FieldPassword: {
		accounts.TooShort:  {"密码至少需要 8 个字符", "The password must have at least 8 characters."},
		accounts.TooLong:   {"密码最多 128 个字符", "The password can have at most 128 characters."},
		accounts.TooCommon: {"这个密码太常见，很容易被猜到", "This password is too common and easy to guess."},
		accounts.Unchanged: {"新密码不能与当前密码相同", "Choose a password that is different from your current one."},
	},
	accounts.FieldMobile: {
		accounts.Malformed: {"请填写 11 位中国大陆手机号", "Enter an 11-digit mainland China mobile number."},
		accounts.NoMobile:  {"请填写正确的手机号，可以带国家或地区代码，例如 +852 5123 4567", "Enter a mobile number. It can have a country code, as in +852 5123 4567."},
		accounts.NotServed: {"暂不支持这个国家或地区的手机号", "Mobile numbers from this country or region are not supported."},
		accounts.Unchanged: {"新手机号不能与当前手机号相同", "Choose a number that is different from your current one."},
		isTaken:            {"这个手机号已经注册", "This number is already registered."},
		canSignIn:          {"注册已经成功，请直接登录", "You have already signed up. Please sign in."},
	},
	accounts.FieldEmail: {
		accounts.Malformed: {"邮箱格式不正确", "This is not a valid email address."},
		accounts.Unchanged: {"新邮箱不能与当前邮箱相同", "Choose an address that is different from your current one."},
		accounts.NoMailbox: {"邮件无法送达：这个邮箱不存在。请检查地址并重新填写", "Our mail came back: this address does not exist. Please check it and enter it again."},
		isTaken:            {"这个邮箱已经注册", "This address is already registered."},
		canSignIn:          {"注册已经成功，请直接登录", "You have already signed up. Please sign in."},
		isRegistered:       {"注册已经成功，请查收激活邮件", "You have already signed up. Please check your email for the activation link."},
	},
	accounts.FieldSMSCodeID:   {accounts.Missing: {"请先获取验证码", "Please request a code first."}},
	accounts.FieldEmailCodeID: {accounts.Missing: {"请先获取验证码", "Please request a code first."}},
	fieldPurpose:              {accounts.Malformed: {"purpose 应为 register、login、reset_password、change_mobile 或 undo_change", "The purpose must be register, login, reset_password, change_mobile or undo_change."}, notForApp: {"purpose 以小写字母开头，最多 32 个小写字母、数字、点、下划线或连字符", "The purpose must begin with a lower-case letter and have at most 32 lower-case letters, digits, dots, underscores and hyphens."}, notByMail: {"purpose 应为 register、login、reset_password 或 change_email", "The purpose must be register, login, reset_password or change_email."}},
	fieldKind:                 {accounts.Malformed: {"kind 应为 image、audio 或（启用时）pow", "The kind must be image, audio or, where it is enabled, pow."}},
	fieldVia: {
		accounts.Malformed:  {"via 应为 sms", "The way (via) must be sms."},
		accounts.NotAllowed: {"手机号的验证码不会发到邮箱，请改用邮箱验证", "A code for a mobile number is not sent by email. Please verify your email address instead."},
	},
	fieldAudience: {accounts.Malformed: {"aud 应为 USHER_TOKEN_AUDIENCES 中的一项", "The audience (aud) must be one of those in USHER_TOKEN_AUDIENCES."}},
	fieldTransport: {
		accounts.Malformed:  {"transport 应为 cookie 或 bearer", "The transport must be cookie or bearer."},
		accounts.NotAllowed: {"带有 Authorization 的请求不能使用 cookie 会话", "A request with an Authorization header cannot start a cookie session."},
	},
	fieldChannel: {accounts.Malformed: {"channel 应为 sms 或 email", "The channel must be sms or email."}},
	fieldTo: {
		accounts.NoMobile:  {"请填写正确的手机号，可以带国家或地区代码，例如 +852 5123 4567", "Enter a mobile number. It can have a country code, as in +852 5123 4567."},
		accounts.NotServed: {"暂不支持这个国家或地区的手机号", "Mobile numbers from this country or region are not supported."},
	},
	fieldIP:    {accounts.Malformed: {"ip 应为最终用户的 IPv4 或 IPv6 地址", "The ip must be the IPv4 or IPv6 address of the end user."}},
	fieldNonce: {accounts.Malformed: {"nonce 最多 128 个可见的 ASCII 字符", "The nonce can have at most 128 visible ASCII characters."}},
	fieldTemplateParams: {
		accounts.NotAllowed: {"不支持 template_params：短信和邮件的模板只有验证码和有效期", "Template parameters are not supported: the templates of messages carry the code and its life only."},
		wrongType:           {"不支持 template_params：短信和邮件的模板只有验证码和有效期", "Template parameters are not supported: the templates of messages carry the code and its life only."},
	},
	accounts.FieldReason: {
		accounts.Missing:   {"请填写原因，它会写入审计记录", "Give a reason. It is recorded in the audit."},
		accounts.Malformed: {"原因最多 200 个字符，不能含邮箱，连续的数字最多 6 位：审计在账号删除后仍会保留，不应留下手机号。工单号较长时只写最后 6 位", "The reason can have at most 200 characters, no email address, and at most 6 digits in a row, because it stays after the account is gone and must show no phone number. Of a longer ticket number, give the last 6 digits."},
	},
	fieldPrice: {accounts.Malformed: {"price 应为 normal、raised 或 high", "The price must be normal, raised or high."}},
}

// problemWordings says what is wrong where the field has no words of its own.
var problemWordings = map[accounts.Problem]wording{
	accounts.Missing:      {"请填写这一项", "Please fill in this field."},
	accounts.Malformed:    {"格式不正确", "The format is invalid."},
	accounts.TooShort:     {"太短了", "This is too short."},
	accounts.TooLong:      {"太长了", "This is too long."},
	accounts.TooCommon:    {"太常见了", "This is too common."},
	accounts.Different:    {"两次输入的密码不一致", "The passwords do not match."},
	accounts.NotAllowed:   {"不能使用这个内容", "This is not allowed."},
	accounts.MustBeAgreed: {"请先同意，再注册", "Please agree before you sign up."},
	wrongType:             {"类型不正确", "The type is wrong."},
	isTaken:               {"已被注册", "This is already registered."},
	isWrong:               {"密码错误", "The password is incorrect."},
	accounts.Unchanged:    {"与当前的相同", "This is the same as before."},
}

// sentence says what is wrong with a field, in the reader's language.
func sentence(field accounts.Field, problem accounts.Problem, lang string) string {
	words, ok := fieldWordings[field][problem]
	if !ok {
		words, ok = problemWordings[problem]
	}
	if !ok {
		words = problemWordings[accounts.Malformed]
	}
	return words.in(lang)
}
