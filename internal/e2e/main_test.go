// Package e2e_test runs the built programs as an operator would, and walks through them as people do:
// over HTTP and in a real browser.
package e2e_test

import (
	"testing"

	"usher/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
