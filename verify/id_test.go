package verify_test

import (
	"strings"
	"testing"

	"usher/verify"
)

const subject = "abcdefghijklmnopqrstu_"

func TestNewID_carries_its_subject_and_is_new(t *testing.T) {
	t.Parallel()
	id := verify.NewID(subject)
	if got, ok := verify.SubjectOf(id); !ok || got != subject {
		t.Errorf("SubjectOf(%q) = %q, %v", id, got, ok)
	}
	if id == verify.NewID(subject) {
		t.Error("the same id twice")
	}
}

// An accepted id becomes part of a Redis key.
func FuzzSubjectOf(f *testing.F) {
	f.Add(verify.NewID(subject))
	f.Add(strings.Repeat("}", 44))
	f.Add(strings.Repeat("a", 43) + "\n")
	f.Add(strings.Repeat("é", 22))
	f.Fuzz(func(t *testing.T, id string) {
		got, ok := verify.SubjectOf(id)
		if !ok {
			if got != "" {
				t.Errorf("refused and yet %q", got)
			}
			return
		}
		if len(id) != 44 || strings.Trim(strings.ToLower(id), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("accepted %q", id)
		}
		if !strings.HasPrefix(id, got) || len(got) != 22 {
			t.Errorf("SubjectOf(%q) = %q", id, got)
		}
	})
}
