package verify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"usher/contact"
	"usher/messages"
	"usher/secrets"
)

// appMark separates the id of an app from its purpose. No purpose of ours contains it, so that a code of an app is never accepted for
// an account of ours, nor the other way round: code and MAC are derived from the purpose.
const appMark = ":"

// appIDs begins the ids of apps.
const appIDs = "app_"

// appPurposes are the purposes that an app may choose.
var appPurposes = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,31}$`)

// ValidAppPurpose reports whether an app may choose the purpose.
func ValidAppPurpose(text string) bool { return appPurposes.MatchString(text) }

// ForApp returns the purpose of an app's code.
func ForApp(app, purpose string) Purpose { return Purpose(app + appMark + purpose) }

// App returns the id of the app and the purpose that it has chosen; both are empty for any other purpose.
func (p Purpose) App() (app, purpose string) {
	app, purpose, ok := strings.Cut(string(p), appMark)
	if !ok || !strings.HasPrefix(app, appIDs) || !ValidAppPurpose(purpose) {
		return "", ""
	}
	return app, purpose
}

// isOfApp reports whether the code is an app's.
func (p Purpose) isOfApp() bool {
	app, _ := p.App()
	return app != ""
}

// usableOn reports whether there can be a code for the purpose on a channel. Unlike [Purpose.ValidFor] it accepts those of apps, which
// a request for an account must not name.
func (p Purpose) usableOn(channel messages.Channel) bool { return p.isOfApp() || p.ValidFor(channel) }

// AppRequest is the part of a [Request] that only an app's has.
type AppRequest struct {
	Name  string // of the app; a mail shows it
	Nonce string // goes into the proof; may be empty
}

// storeTries is how often a code is stored that must be the only one. Between two codes of a recipient is a pause, so a second try is
// needed where a pause is over at this very moment.
const storeTries = 3

// store stores a new code. One that must be the only one replaces the newest.
func (s *Service) store(ctx context.Context, issue *Issue) (err error) {
	if !issue.Sole {
		return s.Codes.Issue(ctx, *issue)
	}
	for range storeTries {
		if issue.Replaces, err = s.Codes.Newest(ctx, issue.Subject, issue.Purpose); err != nil {
			return err
		}
		if err = s.Codes.Issue(ctx, *issue); !errors.Is(err, ErrMoved) {
			break
		}
	}
	return err
}

// sealDetails seals what is needed to check an app's code by its id alone. The nonce comes last: it may contain any character.
func (s *Service) sealDetails(id string, to Recipient, nonce string) string {
	return s.Keys.Seal(to.Reveal()+"\n"+nonce, detailsContext(id))
}

// detailsContext keeps sealed details from being opened as those of another code.
func detailsContext(id string) string { return "app code/" + id }

// Verification is a code of an app.
type Verification struct {
	Status

	ID        string
	App       string
	Recipient Recipient
	Nonce     string
	Purpose   string // that the app has chosen
}

// Verification returns the code of an app with this id. It returns [ErrNotFound] for every other id, also for that of another app's
// code, and for a code whose key was removed from the settings.
func (s *Service) Verification(ctx context.Context, app, id string) (Verification, error) {
	status, err := s.Codes.Status(ctx, id)
	if err != nil {
		return Verification{}, err
	}
	owner, purpose := status.Purpose.App()
	if owner == "" || owner != app {
		return Verification{}, ErrNotFound
	}
	details, err := s.Keys.Open(status.Details, detailsContext(id))
	if errors.Is(err, secrets.ErrUnknownKey) {
		return Verification{}, ErrNotFound
	}
	if err != nil {
		return Verification{}, fmt.Errorf("open details of code: %w", err)
	}
	to, nonce, _ := strings.Cut(details, "\n")
	v := Verification{Status: status, ID: id, App: app, Nonce: nonce, Purpose: purpose}
	if status.Channel == messages.Email {
		v.Recipient, err = contact.ParseEmail(to)
	} else {
		v.Recipient, err = contact.ParseMobile(to)
	}
	if err != nil {
		return Verification{}, fmt.Errorf("read details of code: %w", err)
	}
	return v, nil
}

// Approve counts a guess at the code of an app and uses the code when the guess is right. Of parallel calls with the right code one is
// valid, and the others return [ErrUsed]. A wrong guess is no error. It returns [ErrExpired], also for a canceled code, and
// [ErrAttempts].
func (s *Service) Approve(ctx context.Context, v Verification, code string) (Result, error) {
	purpose := ForApp(v.App, v.Purpose)
	pending, right, err := s.try(ctx, v.Recipient, purpose, v.ID, code)
	switch {
	case errors.Is(err, ErrWrong): // it cannot be a code, so it was not counted
		return Result{AttemptsLeft: v.AttemptsLeft}, nil
	case err != nil:
		return Result{}, err
	case !right:
		return Result{AttemptsLeft: pending.AttemptsLeft}, nil
	}
	return Result{Valid: true, AttemptsLeft: pending.AttemptsLeft}, s.use(ctx, v.Recipient, purpose, v.ID, pending)
}

// Cancel ends the code of an app: it cannot be entered any more, and its message is not sent unless it has left already. A code that was
// used or is over stays as it is.
func (s *Service) Cancel(ctx context.Context, v Verification) error { return s.Codes.Cancel(ctx, v.ID) }

// redeemed begins the ids of redeemed proofs in Uses, where no id of a code begins with it.
const redeemed = "proof/"

// Redeem uses up the proof of an app's code until the proof ends. Of all calls for one code one returns true. That is kept outside of
// Redis, which may be restored from a backup.
func (s *Service) Redeem(ctx context.Context, id string, until time.Time) (first bool, err error) {
	if s.Uses == nil {
		return false, errors.New("redeem proof: uses are not stored")
	}
	return s.Uses.Use(ctx, redeemed+id, until)
}
