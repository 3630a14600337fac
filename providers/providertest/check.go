// Package providertest checks that a vendor keeps the promises of package providers: each outcome has its kind, one call makes one
// request at most, and no error shows the number, the code or a key.
//
// A vendor's test calls [Run], [RunQuery] or [RunEmail] with a description of the vendor: how a sender is made, and what its
// answers look like.
package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"usher/providers"
)

// want is the expected error of a failed send.
type want struct {
	kind providers.Kind
	code string // "" for none
}

// check fails the test when err is another error or shows a private text.
func check(t *testing.T, err error, provider string, w want, private []string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want kind %v", w.kind)
	}
	assertSilent(t, err, private)
	var e *providers.Error
	if !errors.As(err, &e) {
		t.Fatalf("got an error of type %T, want *providers.Error", err)
	}
	if e.Provider != provider || e.Kind != w.kind || e.Code != w.code {
		t.Errorf("got provider %q, kind %v, code %q (%v); want %q, %v, %q",
			e.Provider, e.Kind, e.Code, e, provider, w.kind, w.code)
	}
	if (e.Code == "") == (e.Err == nil) {
		t.Errorf("got code %q and cause %v, want exactly one of them", e.Code, e.Err)
	}
}

// assertSilent fails the test when the error shows a private text in any form in which a caller may print or log it. Addresses
// count as private: those of vendors contain keys and signatures.
func assertSilent(t *testing.T, err error, private []string) {
	t.Helper()
	var log bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	slog.New(slog.NewJSONHandler(&log, options)).Error("send", "error", err)
	slog.New(slog.NewTextHandler(&log, options)).Error("send", "error", err)
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&log, "%v %+v %#v %q\n", e, e, e, e)
	}
	text := strings.ToLower(log.String())
	for _, p := range append([]string{"http://", "https://", "127.0.0.1"}, private...) {
		if p != "" && strings.Contains(text, strings.ToLower(p)) {
			t.Errorf("the error shows %q:\n%s", p, text)
		}
	}
}
