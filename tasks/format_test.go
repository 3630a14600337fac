package tasks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/internal/testkit"
	"usher/tasks"
)

func TestFormatPayload_shows_what_a_person_may_see(t *testing.T) {
	t.Parallel()
	payload := strings.Replace(string(readPayload(t, "sms_code.v1.json")), "{", `{"note":"`+number+`",`, 1)
	shown := tasks.FormatPayload(tasks.TypeSMSCode, []byte(payload))
	var got map[string]any
	if err := json.Unmarshal([]byte(shown), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"id": codeID, "key_id": "k1", "purpose": "login", "to": masked,
		"length": 6.0, "expires_at": 1750000000.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFormatPayload_survives_garbage(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{"", "\x00", "[]", "{", `{"to":{"sealed":"x"}}`, `{"id":` + number + `}`} {
		if got := tasks.FormatPayload("", []byte(payload)); got != "(does not decode)" {
			t.Errorf("%q shows as %q", payload, got)
		}
	}
}

func FuzzFormatPayload(f *testing.F) {
	f.Add(readPayload(f, "sms_code.v1.json"))
	f.Add(readPayload(f, "email_activation.v1.json"))
	f.Add([]byte(`{"sealed":"13912345678","SEALED":"13912345678","to":null,"note":{"id":[13912345678]}}`))
	f.Add([]byte(`{"id":"\ud800"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		shown := tasks.FormatPayload(tasks.TypeSMSCode, payload)
		var fields map[string]any
		if err := json.Unmarshal([]byte(shown), &fields); err != nil && shown != "(does not decode)" {
			t.Fatalf("%q shows as %q", payload, shown)
		}
		for name := range fields {
			if !strings.Contains("id key_id purpose to length expires_at", name) {
				t.Fatalf("%q shows %s", payload, name)
			}
		}
		if again := tasks.FormatPayload(tasks.TypeSMSCode, payload); again != shown {
			t.Fatalf("%q shows as %q and as %q", payload, shown, again)
		}
		const sealed = "a number that must not be shown"
		if with, err := json.Marshal(map[string]any{"sealed": sealed, string(payload): sealed}); err == nil {
			hidden := tasks.FormatPayload(tasks.TypeSMSCode, with)
			if name := strings.ToLower(string(payload)); !isShown(name) && len(testkit.FindSecrets([]byte(hidden), sealed)) > 0 {
				t.Fatalf("a field %q shows: %s", payload, hidden)
			}
		}
	})
}

// isShown tells whether encoding/json may take the name for one of the fields that are shown.
func isShown(name string) bool {
	for _, field := range []string{"id", "key_id", "purpose", "to"} {
		if strings.EqualFold(name, field) {
			return true
		}
	}
	return false
}
