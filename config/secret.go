package config

import (
	"fmt"
	"io"
	"log/slog"
)

// masked is how a secret that is set prints.
const masked = "******"

// Secret is a setting that prints masked whatever prints it. The zero value means that it is not set.
type Secret string

// Reveal returns the secret itself, for the one who has to use it.
func (s Secret) Reveal() string { return string(s) }

// String returns the mask, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// Format writes the mask whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText makes every encoding show the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue makes slog show the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
