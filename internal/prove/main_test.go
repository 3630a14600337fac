package prove_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"usher/internal/testkit"
)

// patience bounds every wait of the proof; it is spent on failure only.
const patience = 2 * time.Minute

// results collects what the rows report. It is package state because only TestMain sees the end of them all.
var results = &table{seed: chooseSeed()}

func TestMain(m *testing.M) {
	testkit.AtEnd(results.print)
	testkit.Main(m)
}

// until is [testkit.Eventually] for waits whose failure is a figure: it reports whether the condition came true.
func until(within time.Duration, condition func() bool) bool {
	deadline := time.Now().Add(within)
	for !condition() {
		if time.Now().After(deadline) {
			return false
		}
		<-time.After(10 * time.Millisecond)
	}
	return true
}

func chooseSeed() uint64 {
	text := os.Getenv("USHER_PROVE_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, "USHER_PROVE_SEED:", err)
		os.Exit(2)
	}
	return seed
}

// chance is where a row's random choices come from: the same seed makes the same ones, whatever other rows run
// beside it. It is for one goroutine.
func chance(number int) *rand.Rand {
	return rand.New(rand.NewPCG(results.seed, uint64(number)))
}

// long reports whether the long sizes are asked for.
func long() bool { return os.Getenv("USHER_PROVE") == "long" }

// size chooses between the two sizes of a row.
func size[T any](quick, lengthy T) T {
	if long() {
		return lengthy
	}
	return quick
}

// sizeFrom is size, unless an environment variable names a number.
func sizeFrom(t testing.TB, variable string, quick, lengthy int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return size(quick, lengthy)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s: want a number from 1", variable)
	}
	return n
}
