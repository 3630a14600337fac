package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"usher/config"
	"usher/providers"
	"usher/reasons"
)

// prove tries the credentials of a sender.
func prove(ctx context.Context, name string, sender any) finding {
	prover, ok := sender.(providers.CredentialChecker)
	if !ok {
		return warn(name, errors.New("there is no way to try them without sending"), "run admin canary")
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	err := prover.CheckCredentials(ctx)
	reason, known := reasons.Of(string(providers.ReasonOf(err)))
	switch {
	case errors.Is(err, providers.ErrPermission):
		return warn(name, err, "give the access key the permission that docs/sms-providers.md names beside that to send: "+
			"without it lost answers are followed by a resend")
	case err != nil && known && !isKind(reason.Word):
		return fail(name, fmt.Errorf("%w (%s: %s)", err, reason.Word, reason.Means), reason.Do)
	case providers.KindOf(err) == providers.Misconfigured:
		return fail(name, err, "correct the vendor's settings; its console or documents explain the code")
	default:
		return fail(name, err, "see whether this machine may connect there, and try again")
	}
}

// isKind tells of a reason that only repeats the kind of a vendor's code, which says more.
func isKind(word reasons.Word) bool {
	return slices.Contains([]reasons.Word{
		reasons.Temporary, reasons.RateLimited, reasons.Rejected, reasons.Misconfigured, reasons.Unknown, reasons.Unclassified,
	}, word)
}

// checkTemplates asks whether the vendor has approved the templates of a sender, where it can be asked.
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
		return []finding{fail(name, err, "codes of that purpose are refused: wait for the audit, or name another template; the vendor's console has the reason")}
	}
	return []finding{warn(name, err, "the vendor could not be asked: give the access key the permission dysms:GetSmsTemplate, or look at its console")}
}

// templatesProblem names the purposes whose codes go out in words that cannot say what they are for.
func templatesProblem(sender providers.SMSSender) error {
	templated, ok := sender.(providers.Templated)
	if !ok {
		return nil
	}
	if missing := templated.Templates().Missing(); len(missing) > 0 {
		return fmt.Errorf("no template of its own for %s", strings.Join(missing, ", "))
	}
	return nil
}

// reportsProblem is whether vendors are used of which nobody hears what became of the messages.
func reportsProblem(api config.API, worker config.Worker, sms []providers.SMSSender) error {
	if api.ReportSecret != "" {
		return nil
	}
	var mute []string
	for _, sender := range sms {
		if _, pulled := sender.(providers.Puller); !pulled || worker.ReportInterval == 0 {
			mute = append(mute, sender.Name())
		}
	}
	if len(mute) == 0 {
		return nil
	}
	return fmt.Errorf("nobody hears whether messages of %s arrive", strings.Join(mute, ", "))
}
