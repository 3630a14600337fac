package passwords_test

import (
	"os"
	"testing"

	"usher/internal/testkit"
	"usher/passwords"
)

// hashRole in the environment makes the test program a process of a hasher: "serve" is one that works, the
// others fail as processes do.
const hashRole = "USHER_TEST_HASH_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(hashRole) {
	case "":
		testkit.MainNoLeaks(m)
	case "serve":
		if passwords.Serve(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
	case "freeze":
		_, _ = os.Stdin.Read(make([]byte, 1))
		select {}
	case "die":
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(1)
	}
}
