package audit_test

import (
	"strings"
	"testing"
	"time"

	"usher/audit"
)

func TestCauseOf_is_the_system_without_a_cause(t *testing.T) {
	t.Parallel()
	if got := audit.CauseOf(t.Context()); got != (audit.Cause{Kind: audit.System}) {
		t.Errorf("cause %+v", got)
	}
	want := audit.Cause{Kind: audit.App, Actor: "key", Reason: "why", RequestID: "r", Network: "192.0.2.0/24"}
	ctx := audit.With(t.Context(), want)
	first, second := audit.New(ctx, time.Now(), audit.AccountBlocked, "a"), audit.New(ctx, time.Now(), audit.AccountBlocked, "a")
	if first.Cause != want || first.ID >= second.ID {
		t.Errorf("records %+v, %+v", first, second)
	}
}

func TestValidReason_has_no_contacts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"Spam reports 12345", "用户要求注销，工单 4711", "ticket 2026-12"} {
		if !audit.ValidReason(text) {
			t.Errorf("%q is refused", text)
		}
	}
	for _, text := range []string{
		"", "  ", strings.Repeat("x", 201), "a\nb", "owner of 13800138000", "138 0013 8000", "+86 (138) 001-38000", "li@example.com", "li＠example.com",
		"\xff", "１３８００１３８０００", "left\u202eright",
	} {
		if audit.ValidReason(text) {
			t.Errorf("%q is accepted", text)
		}
	}
}
