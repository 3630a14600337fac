// Package catalog lists the providers that a worker can be configured with.
package catalog

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"usher/config"
	"usher/providers"
	"usher/providers/aliyun"
	"usher/providers/httpsender"
	"usher/providers/ronglian"
	"usher/providers/smtp"
	"usher/providers/tencent"
)

// sms has one line for each vendor, by its name.
var sms = map[string]func(environ map[string]string) (providers.SMSSender, error){
	aliyun.Name:       entry(aliyun.New),
	aliyun.VerifyName: entry(aliyun.NewVerify),
	httpsender.Name:   entry(httpsender.New),
	ronglian.Name:     entry(ronglian.New),
	tencent.Name:      entry(tencent.Open),
}

// entry turns a vendor's constructor into one that reads the environment.
func entry[C any, S providers.SMSSender](newSender func(C) (S, error)) func(map[string]string) (providers.SMSSender, error) {
	return func(environ map[string]string) (providers.SMSSender, error) {
		var cfg C
		if err := config.Load(environ, &cfg); err != nil {
			return nil, err
		}
		sender, err := newSender(cfg)
		if err != nil {
			return nil, err
		}
		return sender, nil
	}
}

// SMS returns the named providers in the given order, each configured from the environment. The error is of type [config.Mistakes]
// with every mistake of every named provider. The settings of other providers are not read.
func SMS(names []string, environ map[string]string) ([]providers.SMSSender, error) {
	if len(names) == 0 {
		return nil, config.Mistakes{{Variable: namesVariable, Text: "want at least one of " + Known()}}
	}
	var (
		senders  []providers.SMSSender
		mistakes []error
		codes    config.Codes
		face     struct {
			Brand string `env:"BRAND"`
		}
	)
	mistakes = append(mistakes, config.Load(environ, &codes, &face))
	for _, name := range names {
		open, found := sms[name]
		if !found {
			mistakes = append(mistakes, config.Mistakes{{
				Variable: namesVariable, Text: "there is no provider " + strconv.Quote(name) + "; want some of " + Known(),
			}})
			continue
		}
		sender, err := open(environ)
		mistakes = append(mistakes, err, checkAlphabet(sender, codes), checkProduct(sender, face.Brand))
		senders = append(senders, sender)
	}
	if err := config.Join(mistakes...); err != nil {
		return nil, err
	}
	return senders, nil
}

// checkAlphabet returns a mistake for a provider that cannot send the codes of the settings, and nil for no provider.
func checkAlphabet(sender providers.SMSSender, codes config.Codes) error {
	if _, ok := sender.(providers.DigitsOnly); !ok || codes.SMSCodeAlphabet == "digits" {
		return nil
	}
	return config.Mistakes{{
		Variable: namesVariable,
		Text:     sender.Name() + " sends codes of digits only: leave it out, or set " + config.Prefix + "SMS_CODE_ALPHABET=digits",
	}}
}

// checkProduct returns a mistake for a provider whose templates have the product's name where no folder sets one, and nil for no
// provider.
func checkProduct(sender providers.SMSSender, brand string) error {
	if namer, ok := sender.(providers.ProductNamer); !ok || !namer.NamesProduct() || brand != "" {
		return nil
	}
	return config.Mistakes{{
		Variable: config.Prefix + "BRAND", Text: "must be set, because the templates of " + sender.Name() + " have the product's name; see docs/branding.md",
	}}
}

// Email returns the provider of mails, configured from the environment. The error is of type
// [config.Mistakes]. It connects when the first mail is sent.
func Email(environ map[string]string) (providers.EmailSender, error) {
	var cfg smtp.Config
	if err := config.Load(environ, &cfg); err != nil {
		return nil, err
	}
	sender, err := smtp.New(cfg)
	if err != nil {
		return nil, err // not a nil client in an interface that is not nil
	}
	return sender, nil
}

// Configs returns the settings of every provider, for the generated documents.
func Configs() []any {
	return []any{aliyun.Config{}, aliyun.VerifyConfig{}, ronglian.Config{}, tencent.Config{}, httpsender.Config{}, smtp.Config{}}
}

const namesVariable = config.Prefix + "SMS_PROVIDERS"

// Known names the providers of SMS, for people.
func Known() string { return strings.Join(slices.Sorted(maps.Keys(sms)), ", ") }
