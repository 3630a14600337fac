// Package contact holds phone numbers and email addresses that print masked.
//
// A value can only be made by its Parse function, so it is always valid and in its canonical form. Every way of printing it (fmt,
// slog, JSON, text) shows the masked form. The full form is returned by Reveal only, which is easy to find in a review.
package contact

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is what numbers and addresses share: they print as their masked form.
type hidden struct {
	full   string
	masked string
}

// Reveal returns the full canonical value, for a provider, a seal or a keyed hash. It must not be put into a log, an error or an
// answer.
func (h hidden) Reveal() string { return h.full }

// String returns the masked form, such as 138****8000; it is empty for the zero value.
func (h hidden) String() string { return h.masked }

// Format writes the masked form for every verb: %d or %#v of a plain struct would print its fields.
func (h hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, h.masked) }

// MarshalText makes JSON and every other encoding show the masked form.
func (h hidden) MarshalText() ([]byte, error) { return []byte(h.masked), nil }

// LogValue makes slog show the masked form.
func (h hidden) LogValue() slog.Value { return slog.StringValue(h.masked) }

// IsZero reports whether there is no number or address.
func (h hidden) IsZero() bool { return h.full == "" }
