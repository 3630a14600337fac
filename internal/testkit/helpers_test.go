package testkit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
)

func TestEventually(t *testing.T) {
	t.Parallel()

	t.Run("returns when the condition holds", func(t *testing.T) {
		t.Parallel()
		calls := 0
		failed, message := record(t, func(t testing.TB) {
			testkit.Eventually(t, time.Minute, func() bool { calls++; return calls == 3 }, "three calls")
		})
		if failed || calls != 3 {
			t.Errorf("failed %v after %d calls: %s", failed, calls, message)
		}
	})
	t.Run("ends the test when time is up", func(t *testing.T) {
		t.Parallel()
		failed, message := record(t, func(t testing.TB) {
			testkit.Eventually(t, time.Millisecond, func() bool { return false }, "the %s arrives", "parcel")
			t.Errorf("went on")
		})
		if want := "not within 1ms: the parcel arrives"; !failed || message != want {
			t.Errorf("failed %v with %q, want %q", failed, message, want)
		}
	})
}

func TestClock_moves_only_when_told(t *testing.T) {
	t.Parallel()
	start := time.Date(2025, time.March, 1, 12, 0, 0, 0, time.UTC)
	clock := testkit.NewClock(start)
	if got := clock.Now(); !got.Equal(start) {
		t.Errorf("a new clock stands at %v, want %v", got, start)
	}
	clock.Advance(90 * time.Minute)
	if got, want := clock.Now(), start.Add(90*time.Minute); !got.Equal(want) {
		t.Errorf("after Advance it stands at %v, want %v", got, want)
	}
	clock.Set(start)
	if got := clock.Now(); !got.Equal(start) {
		t.Errorf("after Set it stands at %v, want %v", got, start)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()

	t.Run("accepts the same bytes", func(t *testing.T) {
		t.Parallel()
		testkit.Golden(t, "greeting.txt", []byte("hello\n"))
	})
	t.Run("shows the difference", func(t *testing.T) {
		t.Parallel()
		failed, message := record(t, func(t testing.TB) {
			testkit.GoldenMode(t, "greeting.txt", []byte("goodbye\n"), false)
		})
		if !failed || !strings.Contains(message, "goodbye") {
			t.Errorf("failed %v with %q", failed, message)
		}
	})
	t.Run("says how to write a missing file", func(t *testing.T) {
		t.Parallel()
		failed, message := record(t, func(t testing.TB) {
			testkit.GoldenMode(t, "missing.txt", nil, false)
		})
		if !failed || !strings.Contains(message, "-update") {
			t.Errorf("failed %v with %q", failed, message)
		}
	})
}

func TestGolden_update_writes_the_file(t *testing.T) {
	t.Chdir(t.TempDir())
	testkit.GoldenMode(t, "folder/new.txt", []byte("new\n"), true)
	got, err := os.ReadFile(filepath.Join("testdata", "folder", "new.txt"))
	if err != nil || string(got) != "new\n" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()

	t.Run("keeps debug lines", func(t *testing.T) {
		t.Parallel()
		logger, buffer := testkit.Logger(t)
		logger.Debug("code issued", "code", "481516")
		if found := testkit.FindSecrets(buffer.Bytes(), "481516"); len(found) == 0 {
			t.Errorf("the planted code is not in %q", buffer)
		}
	})
	t.Run("is printed when the test fails", func(t *testing.T) {
		t.Parallel()
		_, messages := record(t, func(t testing.TB) {
			logger, _ := testkit.Logger(t)
			logger.Info("last words")
			t.Errorf("failed")
		})
		if !strings.Contains(messages, "last words") {
			t.Errorf("printed %q", messages)
		}
	})
}
