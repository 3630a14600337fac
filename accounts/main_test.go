package accounts_test

import (
	"testing"

	"usher/internal/testkit"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }
