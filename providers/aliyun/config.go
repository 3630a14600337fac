package aliyun

import (
	"strings"

	"usher/config"
	"usher/providers/internal/wire"
)

// Config is how Aliyun is reached. Every field without a default must be set.
type Config struct {
	AccessKeyID     config.Secret `env:"ALIYUN_ACCESS_KEY_ID" desc:"Aliyun: id of an access key with the permission dysms:SendSms."`
	AccessKeySecret config.Secret `env:"ALIYUN_ACCESS_KEY_SECRET" desc:"Aliyun: secret of that access key."`
	SignName        string        `env:"ALIYUN_SIGN_NAME" desc:"Aliyun: approved sign name, without the brackets that recipients see."`
	TemplateCode    string        `env:"ALIYUN_TEMPLATE_CODE" desc:"Aliyun: approved template of a verification code, such as SMS_71390007."`
	TemplateParam   string        `env:"ALIYUN_TEMPLATE_PARAM" envDefault:"code" desc:"Aliyun: name of the template's variable that takes the code."`
	Endpoint        string        `env:"ALIYUN_ENDPOINT" envDefault:"https://dysmsapi.aliyuncs.com" desc:"Aliyun: address of the API; http:// is accepted for loopback only."`
	QPS             int           `env:"ALIYUN_QPS" envDefault:"0" desc:"Aliyun: messages in any second by all workers together; 0 for no bound."`
	Concurrency     int           `env:"ALIYUN_CONCURRENCY" envDefault:"0" desc:"Aliyun: requests at the same time by all workers together; 0 for no bound."`
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
	if c.TemplateCode != "" && !strings.HasPrefix(c.TemplateCode, "SMS_") {
		add("ALIYUN_TEMPLATE_CODE", "want SMS_ and digits")
	}
	required("ALIYUN_TEMPLATE_PARAM", c.TemplateParam)
	if _, err := wire.Endpoint(c.Endpoint); err != nil {
		add("ALIYUN_ENDPOINT", err.Error())
	}
	m = append(m, wire.CheckBounds("ALIYUN", c.QPS, c.Concurrency)...)
	return m
}
