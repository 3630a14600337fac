package aliyun

import (
	"strings"

	"usher/config"
	"usher/providers"
	"usher/providers/internal/wire"
)

// Config is how Aliyun is reached. Every field without a default must be set.
type Config struct {
	AccessKeyID           config.Secret `env:"ALIYUN_ACCESS_KEY_ID" desc:"Aliyun: id of an access key with the permission dysms:SendSms."`
	AccessKeySecret       config.Secret `env:"ALIYUN_ACCESS_KEY_SECRET" desc:"Aliyun: secret of that access key."`
	SignName              string        `env:"ALIYUN_SIGN_NAME" desc:"Aliyun: approved sign name, without the brackets that recipients see."`
	TemplateCode          string        `env:"ALIYUN_TEMPLATE_CODE" desc:"Aliyun: approved template of a verification code, such as SMS_71390007, for every purpose without one of its own."`
	TemplateRegister      string        `env:"ALIYUN_TEMPLATE_CODE_REGISTER" desc:"Aliyun: template of codes for a registration, whose words say so; ALIYUN_TEMPLATE_CODE where it is empty."`
	TemplateLogin         string        `env:"ALIYUN_TEMPLATE_CODE_LOGIN" desc:"Aliyun: template of codes for a sign-in, whose words say so; ALIYUN_TEMPLATE_CODE where it is empty."`
	TemplateResetPassword string        `env:"ALIYUN_TEMPLATE_CODE_RESET_PASSWORD" desc:"Aliyun: template of codes for a new password, whose words say so; ALIYUN_TEMPLATE_CODE where it is empty."`
	TemplateChangeMobile  string        `env:"ALIYUN_TEMPLATE_CODE_CHANGE_MOBILE" desc:"Aliyun: template of codes for a change of number, whose words say so; ALIYUN_TEMPLATE_CODE where it is empty."`
	TemplateUndoChange    string        `env:"ALIYUN_TEMPLATE_CODE_UNDO_CHANGE" desc:"Aliyun: template of codes that undo a change, whose words say so; ALIYUN_TEMPLATE_CODE where it is empty."`
	TemplateParam         string        `env:"ALIYUN_TEMPLATE_PARAM" envDefault:"code" desc:"Aliyun: name of the template's variable that takes the code."`
	Endpoint              string        `env:"ALIYUN_ENDPOINT" envDefault:"https://dysmsapi.aliyuncs.com" desc:"Aliyun: address of the API; http:// is accepted for loopback only."`
	QPS                   int           `env:"ALIYUN_QPS" envDefault:"0" desc:"Aliyun: messages in any second by all workers together; 0 for no bound."`
	Concurrency           int           `env:"ALIYUN_CONCURRENCY" envDefault:"0" desc:"Aliyun: requests at the same time by all workers together; 0 for no bound."`
}

// Validate returns every mistake by the name of its variable, without the prefix that all variables have.
func (c Config) Validate() config.Mistakes {
	var m config.Mistakes
	add := func(variable, text string) { m = append(m, config.Mistake{Variable: variable, Text: text}) }
	required := func(variable, value string) {
		switch {
		case value == "":
			add(variable, "must be set")
		case strings.TrimSpace(value) != value:
			add(variable, "has blanks around it")
		}
	}
	required("ALIYUN_ACCESS_KEY_ID", c.AccessKeyID.Reveal())
	required("ALIYUN_ACCESS_KEY_SECRET", c.AccessKeySecret.Reveal())
	required("ALIYUN_SIGN_NAME", c.SignName)
	if strings.ContainsAny(c.SignName, "【】[]") {
		add("ALIYUN_SIGN_NAME", "want it without the brackets")
	}
	required("ALIYUN_TEMPLATE_CODE", c.TemplateCode)
	for variable, code := range c.templateVariables() {
		if code != "" && (!strings.HasPrefix(code, "SMS_") || strings.TrimSpace(code) != code) {
			add(variable, "want SMS_ and digits")
		}
	}
	required("ALIYUN_TEMPLATE_PARAM", c.TemplateParam)
	if _, err := wire.Endpoint(c.Endpoint); err != nil {
		add("ALIYUN_ENDPOINT", err.Error())
	}
	m = append(m, wire.CheckBounds("ALIYUN", c.QPS, c.Concurrency)...)
	return m
}

func (c Config) templateVariables() map[string]string {
	variables := map[string]string{"ALIYUN_TEMPLATE_CODE": c.TemplateCode}
	for purpose, code := range c.templates().ByPurpose {
		variables["ALIYUN_TEMPLATE_CODE_"+strings.ToUpper(purpose)] = code
	}
	return variables
}

func (c Config) templates() providers.Templates {
	return providers.Templates{Default: c.TemplateCode, ByPurpose: map[string]string{
		"register": c.TemplateRegister, "login": c.TemplateLogin,
		"reset_password": c.TemplateResetPassword, "change_mobile": c.TemplateChangeMobile,
		"undo_change": c.TemplateUndoChange,
	}}
}
