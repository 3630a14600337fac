package front

import (
	"errors"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"strings"

	"usher/app"
	"usher/captcha"
	"usher/config"
	"usher/contact"
	"usher/limits"
	"usher/secrets"
	"usher/telemetry"
	"usher/tokens"
	"usher/vitals"
	"usher/web"
)

// Settings is what the API process needs, checked.
type Settings struct {
	Config config.API
	Keys   *secrets.Keys
	Limits limits.Set
	Traces telemetry.Settings
	Tokens *tokens.Keys // nil where none are set
	Pages  *web.Renderer

	Regions contact.Regions // whose numbers are served
	tariff  tariff          // of codes to them

	// Hangups delivers SIGHUP, which is logged. It is nil in tests.
	Hangups <-chan os.Signal

	// HashCommand starts a process that hashes passwords, see [HashCommand]. Where it is nil, this process hashes them.
	HashCommand func() *exec.Cmd

	// FixedCaptcha is the answer of every captcha. Only cmd/dev and tests set it: there is no variable for it.
	FixedCaptcha string

	// TrialTokens says that the key for tokens was made for this run, so that its rotation is no reason to warn. Only cmd/dev sets it.
	TrialTokens bool
}

// Load reads the API's settings and reports every mistake at once, as [config.Mistakes].
func Load(environ map[string]string) (Settings, error) {
	s := Settings{Traces: telemetry.Parse(environ)}
	loadErr := config.Load(environ, &s.Config)
	var commonErr, tokensErr, regionsErr, pricesErr, limitsErr, pagesErr error
	s.Keys, commonErr = app.CheckCommon(s.Config.Common)
	if s.Config.TokenKeys != "" {
		s.Tokens, tokensErr = tokens.ParseKeys(s.Config.TokenKeys.Reveal())
	}
	s.Regions, regionsErr = app.Regions(s.Config.Numbers)
	s.tariff, pricesErr = newTariff(s.Config.SMSPriceYuan, s.Regions)
	funded := limits.Defaults().WithBudget(float64(s.Config.SMSBudgetYuan), s.tariff.unit).
		WithCodeLength(s.Config.SMSCodeLength)
	s.Limits, limitsErr = funded.Parse(s.Config.Limits)
	s.Pages, pagesErr = loadPages(s.Config.Brand)
	return s, config.Join(loadErr, commonErr, config.Wrong("TOKEN_KEYS", tokensErr), checkCaptcha(s.Config), checkHosted(s.Config), regionsErr, pricesErr, config.Wrong("LIMITS", limitsErr),
		s.tariff.affordable(s.Limits), pagesErr)
}

// loadPages reads the pages in the team's own face.
func loadPages(dir string) (*web.Renderer, error) {
	face, err := app.LoadBrand(dir)
	if err != nil {
		return nil, err
	}
	pages, err := web.New(face)
	return pages, app.WrongLines("BRAND", err)
}

// captchaConfig is the configuration of captchas, before it is checked.
func captchaConfig(c config.API) captcha.Config {
	return captcha.Config{
		Kind: captcha.Kind(c.CaptchaKind), Length: c.CaptchaLength, Width: c.CaptchaWidth, Height: c.CaptchaHeight,
		Noise: c.CaptchaNoise, Background: c.CaptchaBackground, Ink: c.CaptchaInk, Language: c.CaptchaLanguage,
		Font: c.CaptchaFont, FontSize: c.CaptchaFontSize, Rotation: &c.CaptchaRotation, Words: c.CaptchaWords,
	}
}

// checkCaptcha names the variable of each mistake.
func checkCaptcha(c config.API) error {
	var mistakes []error
	for _, m := range captchaConfig(c).Validate() {
		mistakes = append(mistakes, config.Wrong("CAPTCHA_"+strings.ToUpper(m.Field), errors.New(m.Problem)))
	}
	return config.Join(mistakes...)
}

// luckOfAlphabet is how likely a guess at a code is right, compared with a code of as many digits.
func (s Settings) luckOfAlphabet() float64 {
	characters := float64(len(secrets.Alphabet(s.Config.SMSCodeAlphabet).Characters()))
	return math.Pow(10/characters, float64(s.Config.SMSCodeLength))
}

// logRisks logs what codes may cost, and warns of settings that leave the service open to abuse.
func (s Settings) logRisks(logger *slog.Logger) {
	day, unknown, hour := s.Limits[limits.SMSBudgetDay], s.Limits[limits.SMSBudgetUnknown], s.Limits[limits.SMSTotal]
	if day.Off() {
		logger.Warn("no budget for SMS, so an attack can cause an unlimited bill: set the variable",
			"variable", config.Prefix+"SMS_BUDGET_YUAN", "sms_total", hour.Count)
	} else {
		logger.Info("budget for SMS", "codes_in_24h", day.Count, "of_them_for_unknown_networks", unknown.Count,
			"codes_in_1h", hour.Count, "yuan_in_24h", float64(day.Count)*s.tariff.unit)
	}
	// The count is infinite without a budget, which has a warning of its own. The limits are whole numbers, so that their
	// rounding can give a little more than the one lucky guess a year that they are made for.
	lucky := s.Limits.LuckyGuesses(s.Config.SMSCodeLength) * s.luckOfAlphabet()
	if !math.IsInf(lucky, 1) && lucky >= 1.1 {
		logger.Warn("codes may be guessed more than once a year: use longer codes or a smaller budget",
			"variable", config.Prefix+"SMS_CODE_LENGTH", "lucky_guesses_a_year_at_worst", lucky)
	}
	if s.Config.CaptchaKind == string(captcha.Off) {
		logger.Warn("captchas are off: protect the API from robots by other means", "variable", config.Prefix+"CAPTCHA_KIND")
	}
}

// rotating tells which keys are being replaced.
func (s Settings) rotating() vitals.Rotating {
	return vitals.Rotating{Secrets: s.Keys != nil && s.Keys.Several(), Tokens: s.Tokens != nil && s.Tokens.Several()}
}
