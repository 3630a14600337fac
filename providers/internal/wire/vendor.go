package wire

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/config"
	"usher/providers"
	"usher/reasons"
)

// Vendor is what the clients of all SMS vendors have in common. A client embeds it; the functions of this package that
// begin with a Vendor do the rest.
type Vendor struct {
	// HTTP carries the requests. It may be replaced before the first send by one that follows no redirects and repeats
	// nothing.
	HTTP *http.Client

	name      string
	bounds    providers.Bounds
	templates providers.Templates
	secrets   []string
}

var (
	_ providers.Bounded   = (*Vendor)(nil)
	_ providers.Templated = (*Vendor)(nil)
)

// NewVendor returns a vendor with connections of its own. No error will quote the secrets.
func NewVendor(name string, bounds Bounds, templates providers.Templates, secrets ...config.Secret) Vendor {
	v := Vendor{HTTP: NewClient(), name: name, bounds: providers.Bounds{PerSecond: bounds.QPS, Concurrent: bounds.Concurrency}, templates: templates}
	for _, secret := range secrets {
		v.secrets = append(v.secrets, secret.Reveal())
	}
	return v
}

// Name implements [providers.SMSSender].
func (v *Vendor) Name() string { return v.name }

// Bounds implements [providers.Bounded].
func (v *Vendor) Bounds() providers.Bounds { return v.bounds }

// Templates implements [providers.Templated].
func (v *Vendor) Templates() providers.Templates { return v.templates }

// ErrRequest is the cause of a request that cannot be built.
var ErrRequest = reasons.New(reasons.BadRequest, "request cannot be built")

// Refusal is an answer with the vendor's code, without the private texts that the code may quote.
func Refusal(v *Vendor, kind providers.Kind, code string, private ...string) *providers.Error {
	return &providers.Error{Provider: v.name, Kind: kind, Code: Code(code, append(private, v.secrets...)...)}
}

// Unreadable is an answer that says neither that the vendor accepted the request nor that it refused it.
func Unreadable(v *Vendor, answer Answer) *providers.Error {
	return &providers.Error{Provider: v.name, Kind: providers.Unknown, Err: answer.Err()}
}

// Usable interprets the error of a request that the vendor should refuse because of its number or content. Vendors check
// the credentials first, so that refusal shows that they are right: it becomes nil. Other errors stay.
func Usable(err error) error {
	refused, ok := errors.AsType[*providers.Error](err)
	if ok && (refused.Kind == providers.Rejected || refused.Kind == providers.RateLimited) {
		return nil
	}
	return err
}

// WithPermission marks a refusal with one of the codes with [providers.ErrPermission]: they are those for a right signature
// without the right to the action.
func WithPermission(err error, codes []string) error {
	if refused, ok := errors.AsType[*providers.Error](err); ok && slices.Contains(codes, refused.Code) {
		refused.Err = providers.ErrPermission
	}
	return err
}

// CheckTemplates asks about each template of the settings, and about those beside them, what is wrong with it, "" for nothing. The
// error is that of the first question without an answer, or around [providers.ErrTemplate].
func CheckTemplates(v *Vendor, ask func(template string) (wrong string, err error), beside ...string) error {
	all := slices.Concat(slices.Collect(maps.Values(v.templates.ByPurpose)), beside, []string{v.templates.Default})
	slices.Sort(all)
	var wrong []string
	for _, template := range slices.Compact(all) {
		if template == "" {
			continue
		}
		what, err := ask(template)
		if err != nil {
			return err
		}
		if what != "" {
			wrong = append(wrong, template+" "+what)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &providers.Error{
		Provider: v.name, Kind: providers.Misconfigured, Err: fmt.Errorf("%w: %s", providers.ErrTemplate, strings.Join(wrong, ", ")),
	}
}

// NotOurs is what is wrong with a template that the vendor does not know.
const NotOurs = "is not a template of this account"

// Bounds are the settings that bound what is asked of a vendor. A vendor's Config embeds them with its own prefix.
type Bounds struct {
	QPS         int `env:"QPS" envDefault:"0" desc:"Messages in any second by all workers; 0 for no bound."`
	Concurrency int `env:"CONCURRENCY" envDefault:"0" desc:"Requests at once by all workers; 0 for no bound."`
}

// Templates are the settings with a template for each purpose. A vendor's Config embeds them with its own prefix.
type Templates struct {
	TemplateRegister      string `env:"REGISTER" desc:"Template for a registration."`
	TemplateLogin         string `env:"LOGIN" desc:"Template for a sign-in."`
	TemplateResetPassword string `env:"RESET_PASSWORD" desc:"Template for a new password."`
	TemplateChangeMobile  string `env:"CHANGE_MOBILE" desc:"Template for a change of number."`
	TemplateUndoChange    string `env:"UNDO_CHANGE" desc:"Template for undoing a change."`
}

// With returns the templates with the default one.
func (t Templates) With(standard string) providers.Templates {
	return providers.Templates{Default: standard, ByPurpose: map[string]string{
		"register": t.TemplateRegister, "login": t.TemplateLogin, "reset_password": t.TemplateResetPassword,
		"change_mobile": t.TemplateChangeMobile, "undo_change": t.TemplateUndoChange,
	}}
}

// Minutes is the life of a code in minutes, for templates that say it. It rounds, because a code sent a moment after its issue
// should say five and not four, and is at least 1.
func Minutes(ttl time.Duration) string {
	return strconv.Itoa(max(1, int(ttl.Round(time.Minute)/time.Minute)))
}

// The values that variables of templates have, by their names in settings.
const (
	ParamCode    = "code"
	ParamMinutes = "minutes"
	ParamProduct = "product"
)

// ProbeProduct is the product's name in probes, which reach no person.
const ProbeProduct = "Usher"

// Values are the values of a template's numbered variables for a message, by the names of [Check.Params].
func Values(names []string, sms providers.SMS) []string {
	values := make([]string, len(names))
	for i, name := range names {
		switch name {
		case ParamCode:
			values[i] = sms.Code
		case ParamMinutes:
			values[i] = Minutes(sms.TTL)
		case ParamProduct:
			values[i] = sms.Product
		}
	}
	return values
}

// Check collects the mistakes in a vendor's settings. The zero value has none.
type Check struct{ Mistakes config.Mistakes }

// Add adds a mistake in a variable, which is named without the prefix that all variables have.
func (c *Check) Add(variable, text string) {
	c.Mistakes = append(c.Mistakes, config.Mistake{Variable: variable, Text: text})
}

// Match checks a value that must be set and have the form of the pattern, which wanted describes.
func (c *Check) Match(variable, value string, pattern *regexp.Regexp, wanted string) {
	switch {
	case value == "":
		c.Add(variable, "must be set")
	case !pattern.MatchString(value):
		c.Add(variable, "want "+wanted)
	}
}

var (
	unpadded   = regexp.MustCompile(`(?s)^\S(.*\S)?$`)
	inBrackets = regexp.MustCompile(`[【】\[\]]`)
)

// Text checks a value that must be set, without blanks around it.
func (c *Check) Text(variable, value string) {
	c.Match(variable, value, unpadded, "a value without blanks around it")
}

// SignName checks the name of the sender that recipients see in brackets.
func (c *Check) SignName(variable, name string) {
	c.Text(variable, name)
	if inBrackets.MatchString(name) {
		c.Add(variable, "want it without the brackets")
	}
}

// Templates checks the default template, whose variable is given, and those for a purpose that are set.
func (c *Check) Templates(variable string, templates providers.Templates, pattern *regexp.Regexp, wanted string) {
	c.Match(variable, templates.Default, pattern, wanted)
	for purpose, template := range templates.ByPurpose {
		if template != "" {
			c.Match(variable+"_"+strings.ToUpper(purpose), template, pattern, wanted)
		}
	}
}

// Params checks the names of the values that a template's numbered variables have, in their order.
func (c *Check) Params(variable string, names []string) {
	known := []string{ParamCode, ParamMinutes, ParamProduct}
	sorted := slices.Sorted(slices.Values(names))
	isKnown := !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(known, name) })
	if !isKnown || !slices.Contains(names, ParamCode) || len(slices.Compact(sorted)) != len(names) {
		c.Add(variable, "want code, and where the approved templates have them minutes and product, in the order of the variables, such as code,minutes")
	}
}

// maxBound is far above what a vendor's gateway can serve.
const maxBound = 10_000

// Bounds checks the bounds of a vendor whose variables begin with the prefix.
func (c *Check) Bounds(prefix string, b Bounds) {
	for i, value := range []int{b.QPS, b.Concurrency} {
		if value < 0 || value > maxBound {
			c.Add(prefix+[]string{"QPS", "CONCURRENCY"}[i], "want 0 to "+strconv.Itoa(maxBound))
		}
	}
}

// Endpoint checks a vendor's address.
func (c *Check) Endpoint(variable, address string) {
	if _, err := config.Endpoint(address); err != nil {
		c.Add(variable, err.Error())
	}
}
