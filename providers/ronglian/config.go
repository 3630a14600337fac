package ronglian

import (
	"strings"

	"usher/config"
	"usher/providers"
	"usher/providers/internal/wire"
)

// Config is how Ronglian is reached. Every field without a default must be set.
type Config struct {
	AccountSID            config.Secret `env:"RONGLIAN_ACCOUNT_SID" desc:"Ronglian: ACCOUNT SID of the console."`
	AuthToken             config.Secret `env:"RONGLIAN_AUTH_TOKEN" desc:"Ronglian: AUTH TOKEN of the console."`
	AppID                 string        `env:"RONGLIAN_APP_ID" desc:"Ronglian: APP ID of an application that is online."`
	TemplateID            string        `env:"RONGLIAN_TEMPLATE_ID" desc:"Ronglian: approved template with two variables, the code and the minutes that it lives, for every purpose without one of its own."`
	TemplateRegister      string        `env:"RONGLIAN_TEMPLATE_ID_REGISTER" desc:"Ronglian: template of codes for a registration, whose words say so; RONGLIAN_TEMPLATE_ID where it is empty."`
	TemplateLogin         string        `env:"RONGLIAN_TEMPLATE_ID_LOGIN" desc:"Ronglian: template of codes for a sign-in, whose words say so; RONGLIAN_TEMPLATE_ID where it is empty."`
	TemplateResetPassword string        `env:"RONGLIAN_TEMPLATE_ID_RESET_PASSWORD" desc:"Ronglian: template of codes for a new password, whose words say so; RONGLIAN_TEMPLATE_ID where it is empty."`
	TemplateChangeMobile  string        `env:"RONGLIAN_TEMPLATE_ID_CHANGE_MOBILE" desc:"Ronglian: template of codes for a change of number, whose words say so; RONGLIAN_TEMPLATE_ID where it is empty."`
	TemplateUndoChange    string        `env:"RONGLIAN_TEMPLATE_ID_UNDO_CHANGE" desc:"Ronglian: template of codes that undo a change, whose words say so; RONGLIAN_TEMPLATE_ID where it is empty."`
	Endpoint              string        `env:"RONGLIAN_ENDPOINT" envDefault:"https://app.cloopen.com:8883" desc:"Ronglian: address of the API; http:// is accepted for loopback only."`
	QPS                   int           `env:"RONGLIAN_QPS" envDefault:"0" desc:"Ronglian: messages in any second by all workers together; 0 for no bound."`
	Concurrency           int           `env:"RONGLIAN_CONCURRENCY" envDefault:"0" desc:"Ronglian: requests at the same time by all workers together; 0 for no bound."`
}

// Validate returns every mistake by the name of its variable, without the prefix that all variables have.
func (c Config) Validate() config.Mistakes {
	var m config.Mistakes
	add := func(variable, text string) { m = append(m, config.Mistake{Variable: variable, Text: text}) }
	token := func(variable, value, alphabet, wanted string) {
		switch {
		case value == "":
			add(variable, "must be set")
		case strings.Trim(value, alphabet) != "":
			add(variable, "want "+wanted)
		}
	}
	token("RONGLIAN_ACCOUNT_SID", c.AccountSID.Reveal(), lettersAndDigits, "letters and digits only")
	token("RONGLIAN_AUTH_TOKEN", c.AuthToken.Reveal(), lettersAndDigits, "letters and digits only")
	token("RONGLIAN_APP_ID", c.AppID, lettersAndDigits, "letters and digits only")
	token("RONGLIAN_TEMPLATE_ID", c.TemplateID, digits, "digits only")
	for purpose, id := range c.templates().ByPurpose {
		if id != "" {
			token("RONGLIAN_TEMPLATE_ID_"+strings.ToUpper(purpose), id, digits, "digits only")
		}
	}
	if _, err := wire.Endpoint(c.Endpoint); err != nil {
		add("RONGLIAN_ENDPOINT", err.Error())
	}
	m = append(m, wire.CheckBounds("RONGLIAN", c.QPS, c.Concurrency)...)
	return m
}

func (c Config) templates() providers.Templates {
	return providers.Templates{Default: c.TemplateID, ByPurpose: map[string]string{
		"register": c.TemplateRegister, "login": c.TemplateLogin,
		"reset_password": c.TemplateResetPassword, "change_mobile": c.TemplateChangeMobile,
		"undo_change": c.TemplateUndoChange,
	}}
}

const (
	digits           = "0123456789"
	lettersAndDigits = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
