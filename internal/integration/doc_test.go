// Package integration_test runs Usher with programs of others: proxies that ask who is signed in, backends that verify what Usher
// signs, and receivers of its events.
package integration_test

import (
	"testing"

	"usher/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
