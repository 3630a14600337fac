// Package apps knows the services that call Usher with a key of their own: what a key looks like, what it allows, and the limits of
// the service that it belongs to.
//
// Such a service is called an app. It has users of its own and lets Usher prove their numbers and addresses.
package apps

import (
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Scope is something that an app may do.
type Scope string

// The scopes.
const (
	VerifyStart Scope = "verify:start" // send a code, and cancel it
	VerifyCheck Scope = "verify:check" // read the status of a code, check it, and redeem its proof

	AccountsRead  Scope = "accounts:read"  // look accounts up, with their sessions, messages and audit
	AccountsWrite Scope = "accounts:write" // block accounts, end their sessions and the like; reading is apart
)

// Scopes lists all scopes in the order of the documents.
func Scopes() []Scope { return []Scope{VerifyStart, VerifyCheck, AccountsRead, AccountsWrite} }

// ParseScopes reads scopes with commas between. Each may be named once.
func ParseScopes(text string) ([]Scope, error) {
	var scopes []Scope
	for name := range strings.SplitSeq(text, ",") {
		scope := Scope(strings.TrimSpace(name))
		if !slices.Contains(Scopes(), scope) {
			return nil, fmt.Errorf("unknown scope %q: want one or more of %v", scope, Scopes())
		}
		if slices.Contains(scopes, scope) {
			return nil, fmt.Errorf("scope %s is named twice", scope)
		}
		scopes = append(scopes, scope)
	}
	return scopes, nil
}

// Limits are those of one app, beside the limits that all requests share.
type Limits struct {
	Rate       int      // requests a minute; 0 is the count of the limit app_rate
	BudgetYuan float64  // that its codes may cost in any 24 hours; 0 for no budget of its own
	Regions    []string // ISO codes of the regions that it may send to; empty for all that Usher serves
}

// App is a service that calls Usher.
type App struct {
	ID        string
	Name      string // people read it in mails with codes
	Scopes    []Scope
	Limits    Limits
	CreatedAt time.Time
}

// May reports whether the app has a scope.
func (a App) May(scope Scope) bool { return slices.Contains(a.Scopes, scope) }

// Serves reports whether the app may send to a region. Addresses have no region.
func (a App) Serves(region string) bool {
	return len(a.Limits.Regions) == 0 || slices.Contains(a.Limits.Regions, region)
}

// Bounds of an app's fields.
const (
	maxName   = 40
	maxRate   = 1_000_000
	maxBudget = 10_000_000
)

// appPrefix begins the ids of apps. No id of a key begins with it.
const appPrefix = "app_"

// IsAppID reports whether a text has the form of an app's id.
func IsAppID(text string) bool { return appPattern.MatchString(text) }

var (
	appPattern    = regexp.MustCompile(`^app_[a-z2-7]{10}$`)
	regionPattern = regexp.MustCompile(`^[A-Z]{2}$`)
)

// New checks the fields of a new app and gives it an id. The error lists all mistakes.
func New(name string, scopes []Scope, limits Limits, now time.Time) (App, error) {
	var mistakes []error
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unprintable) {
		mistakes = append(mistakes, fmt.Errorf("name: want 1 to %d characters without control characters", maxName))
	}
	if len(scopes) == 0 {
		mistakes = append(mistakes, fmt.Errorf("scopes: want one or more of %v", Scopes()))
	}
	if limits.Rate < 0 || limits.Rate > maxRate {
		mistakes = append(mistakes, fmt.Errorf("rate: want 1 to %d requests a minute, or 0 for the default", maxRate))
	}
	if !(limits.BudgetYuan >= 0 && limits.BudgetYuan <= maxBudget) { // false also for NaN
		mistakes = append(mistakes, fmt.Errorf("budget: want 0 to %d yuan", maxBudget))
	}
	for _, region := range limits.Regions {
		if !regionPattern.MatchString(region) {
			mistakes = append(mistakes, fmt.Errorf("region %q: want an ISO code such as CN", region))
		}
	}
	if err := errors.Join(mistakes...); err != nil {
		return App{}, err
	}
	return App{ID: appPrefix + strings.ToLower(rand.Text()[:10]), Name: name, Scopes: scopes, Limits: limits, CreatedAt: now}, nil
}

// unprintable also finds characters that change the direction of a text: the name stands inside of sentences.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }
