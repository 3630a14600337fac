package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/app/front"
	"usher/config"
	"usher/contact"
	"usher/providers"
	"usher/reasons"
	"usher/reports"
)

// checkCredentials checks the credentials of a sender.
func checkCredentials(ctx context.Context, name string, sender any) finding {
	prover, ok := sender.(providers.CredentialChecker)
	if !ok {
		return warn(name, errors.New("cannot be checked without sending a message"), "run admin canary")
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	err := prover.CheckCredentials(ctx)
	reason, known := reasons.Of(string(providers.ReasonOf(err)))
	switch {
	case errors.Is(err, providers.ErrPermission):
		return warn(name, err, "give the access key the second permission in docs/sms-providers.md, which allows it to query messages: "+
			"without it a message with a lost answer is sent again")
	case err != nil && known && !isKind(reason.Word):
		return fail(name, fmt.Errorf("%w (%s: %s)", err, reason.Word, reason.Means), reason.Do)
	case providers.KindOf(err) == providers.Misconfigured:
		return fail(name, err, "correct the vendor's settings; its console or documentation explains the code")
	default:
		return fail(name, err, "check whether this machine may connect to the server, and try again")
	}
}

// checkHostedCaptcha checks whether the vendor of captchas answers and knows our account. Whether the key is right shows only
// when a person has solved a captcha.
func checkHostedCaptcha(ctx context.Context, api front.Settings) finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	return fail("captcha of "+api.HostedCaptcha(), api.CheckHostedCaptcha(ctx),
		"correct the account's settings, and check whether this machine may connect to the vendor: until then our own captchas are shown; see docs/hosted-captchas.md")
}

// isKind reports whether a reason only repeats the kind of a vendor's code. The code is more precise.
func isKind(word reasons.Word) bool {
	return slices.Contains([]reasons.Word{
		reasons.Temporary, reasons.RateLimited, reasons.Rejected, reasons.Misconfigured, reasons.Unknown, reasons.Unclassified,
	}, word)
}

// checkTemplates checks whether the vendor has approved the templates, where it has a request for that.
func checkTemplates(ctx context.Context, sender providers.SMSSender) []finding {
	checker, ok := sender.(providers.TemplateChecker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	name := "approval of templates of " + sender.Name()
	err := checker.CheckTemplates(ctx)
	if err == nil || errors.Is(err, providers.ErrTemplate) {
		return []finding{fail(name, err, "the vendor refuses codes of that purpose: wait for its audit, or set another template; its console has the reason")}
	}
	return []finding{warn(name, err, "not checked: give the access key the third permission in docs/sms-providers.md, or check the vendor's console")}
}

// checkSigns shows the audit and the filings of the sender's sign names, where its vendor has a request for that.
func checkSigns(ctx context.Context, sender providers.SMSSender) []finding {
	checker, ok := sender.(providers.SignChecker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	states, err := checker.CheckSigns(ctx)
	if err != nil {
		return []finding{warn("sign names of "+sender.Name(), err,
			"not checked: give the access key the permission dysms:GetSmsSign, or check the vendor's console")}
	}
	findings := make([]finding, len(states))
	for i, state := range states {
		findings[i] = finding{Name: "sign name " + state.Sign + " of " + sender.Name(), Status: isOK, Detail: state.State, Help: state.Help}
		if state.Carrier != "" {
			findings[i].Name = "filing of sign name " + state.Sign + " of " + sender.Name() + " with " + state.Carrier
		}
		switch {
		case state.Blocks:
			findings[i].Status = isFail
		case state.Help != "":
			findings[i].Status = isWarn
		}
	}
	return findings
}

// templatesProblem names the purposes without a template of their own: their SMS do not tell what the code is for.
func templatesProblem(sender providers.SMSSender) error {
	templated, ok := sender.(providers.Templated)
	if !ok {
		return nil
	}
	if missing := templated.Templates().Missing(); len(missing) > 0 {
		return fmt.Errorf("%s have no template of their own", strings.Join(missing, ", "))
	}
	return nil
}

// routesProblem names the served regions whose messages no provider takes.
func routesProblem(served []string, orders providers.Orders, sms []providers.SMSSender) error {
	regions, err := contact.NewRegions(served)
	if err != nil || len(sms) == 0 { // the finding about the settings says so
		return nil //nolint:nilerr // see above
	}
	var unserved []string
	for _, region := range regions.Codes() {
		order, own := orders[region]
		if !own {
			order, own = orders[providers.OtherRegions]
		}
		if !slices.ContainsFunc(sms, func(sender providers.SMSSender) bool {
			regional, some := sender.(providers.Regional)
			return (!own || slices.Contains(order, sender.Name())) && (!some || regional.Serves(region))
		}) {
			unserved = append(unserved, region)
		}
	}
	if len(unserved) == 0 {
		return nil
	}
	return fmt.Errorf("no provider sends to numbers of %s", strings.Join(unserved, ", "))
}

// pauseProblem names the vendors that refuse a message after the pause between two codes to one number.
func pauseProblem(pause time.Duration, sms []providers.SMSSender) error {
	for _, sender := range sms {
		if pausing, ok := sender.(providers.Pausing); ok && pause > 0 && pause < pausing.Pause() {
			return fmt.Errorf("%s refuses a second message to a number within %s, and codes may be requested after %s", sender.Name(), pausing.Pause(), pause)
		}
	}
	return nil
}

// reportsProblem names the vendors whose delivery reports are neither pushed nor pulled.
func reportsProblem(api config.API, worker config.Worker, sms []providers.SMSSender) error {
	if api.ReportSecret != "" {
		return nil
	}
	var mute []string
	for _, sender := range sms {
		if sender.Name() == reports.HTTP && api.HTTPSecret != "" {
			continue // its receiver signs and needs no path
		}
		if _, pulled := sender.(providers.Puller); !pulled || worker.ReportInterval == 0 {
			mute = append(mute, sender.Name())
		}
	}
	if len(mute) == 0 {
		return nil
	}
	return fmt.Errorf("no delivery reports are configured for %s", strings.Join(mute, ", "))
}
