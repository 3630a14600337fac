package front

import (
	"strings"

	"usher/captcha"
	"usher/captcha/pow"
	"usher/config"
)

func captchaConfig(c config.API) captcha.Config {
	return captcha.Config{
		Kind: captcha.Kind(c.CaptchaKind), Length: c.CaptchaLength, Width: c.CaptchaWidth, Height: c.CaptchaHeight,
		Noise: c.CaptchaNoise, Background: c.CaptchaBackground, Ink: c.CaptchaInk, Language: c.CaptchaLanguage,
	}
}

func workMaker(s Settings) *pow.Maker {
	m := &pow.Maker{Most: s.Config.CaptchaWork}
	for _, secrets := range s.Keys.WorkSecrets() {
		m.Secrets = append(m.Secrets, pow.Secrets(secrets))
	}
	return m
}

// checkCaptcha says under which variable each mistake is to be mended.
func checkCaptcha(c config.API) error {
	var mistakes config.Mistakes
	for _, m := range captchaConfig(c).Validate() {
		variable := config.Prefix + "CAPTCHA_" + strings.ToUpper(m.Field)
		mistakes = append(mistakes, config.Mistake{Variable: variable, Text: m.Problem})
	}
	return config.Join(mistakes)
}
