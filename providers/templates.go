package providers

import (
	"context"
	"errors"
	"slices"
)

// Purposes are the values of [SMS].Purpose for which a vendor can have a template of its own, in the order of the
// documents.
func Purposes() []string {
	return []string{"register", "login", "reset_password", "change_mobile", "undo_change"}
}

// Templates are a vendor's approved texts by purpose. They do not change once they are made.
type Templates struct {
	Default   string            // serves every purpose that has none of its own, and the canary
	ByPurpose map[string]string // an empty value counts as none
}

// For returns the template of a purpose.
func (t Templates) For(purpose string) string {
	if own := t.ByPurpose[purpose]; own != "" {
		return own
	}
	return t.Default
}

// Missing lists the purposes whose codes go out in the default template, whose words cannot say what they are for.
func (t Templates) Missing() []string {
	return slices.DeleteFunc(Purposes(), func(purpose string) bool { return t.ByPurpose[purpose] != "" })
}

// Templated is a sender that has templates.
type Templated interface {
	// Templates returns those of the settings.
	Templates() Templates
}

// ErrTemplate is the cause of an error that names templates which the vendor does not send.
var ErrTemplate = errors.New("not approved")

// TemplateChecker is a sender that can ask its vendor whether the templates of the settings are approved.
type TemplateChecker interface {
	// CheckTemplates asks about each template and sends nothing. The error is an [*Error] as of a send, around
	// [ErrTemplate] when a template is not approved, or around [ErrPermission] when the credentials may not ask.
	CheckTemplates(ctx context.Context) error
}
