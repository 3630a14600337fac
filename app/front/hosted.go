package front

import (
	"context"
	"errors"
	"log/slog"

	"usher/captcha/hosted"
	"usher/captcha/hosted/geetest"
	"usher/config"
)

// geetestOf returns the account at GeeTest, before it is checked.
func geetestOf(c config.API) geetest.Config {
	endpoint, _ := config.Endpoint(c.GeetestEndpoint) // checkHosted has read it
	return geetest.Config{CaptchaID: c.GeetestCaptchaID, Key: c.GeetestKey.Reveal(), Endpoint: endpoint, Script: c.GeetestScript}
}

// checkHosted names the variable of each mistake in the settings of the captcha's vendor.
func checkHosted(c config.API) error {
	if c.CaptchaHosted != geetest.Name {
		return nil
	}
	var mistakes []error
	for variable, text := range map[string]string{"GEETEST_CAPTCHA_ID": c.GeetestCaptchaID, "GEETEST_KEY": c.GeetestKey.Reveal()} {
		switch {
		case text == "":
			mistakes = append(mistakes, config.Wrong(variable, errors.New("must be set with CAPTCHA_HOSTED=geetest")))
		case !geetest.ValidAccount(text):
			mistakes = append(mistakes, config.Wrong(variable, errors.New("want the 32 letters and digits of GeeTest's console, such as 647f5ed2ed8acb4be36784e01556bb71")))
		}
	}
	for variable, address := range map[string]string{"GEETEST_ENDPOINT": c.GeetestEndpoint, "GEETEST_SCRIPT": c.GeetestScript} {
		_, err := config.Endpoint(address)
		mistakes = append(mistakes, config.Wrong(variable, err))
	}
	return config.Join(mistakes...)
}

// hostedCaptcha returns the captcha of a vendor; nil when the settings have none.
func hostedCaptcha(c config.API, logger *slog.Logger) *hosted.Guard {
	if c.CaptchaHosted != geetest.Name {
		return nil
	}
	client := geetest.New(geetestOf(c))
	return hosted.NewGuard(client, client.Widget(), logger)
}

// HostedCaptcha is the vendor of captchas in the settings; empty for none.
func (s Settings) HostedCaptcha() string { return s.Config.CaptchaHosted }

// CheckHostedCaptcha asks the vendor whether it knows our account. It costs nothing there: the token in the question is made up.
func (s Settings) CheckHostedCaptcha(ctx context.Context) error {
	if s.Config.CaptchaHosted != geetest.Name {
		return nil
	}
	return geetest.New(geetestOf(s.Config)).Check(ctx)
}
