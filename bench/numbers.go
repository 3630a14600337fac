package main

import (
	"fmt"
	"sync/atomic"
)

// numbers counts up, so that no number or name is used twice in a run: codes are limited by number, names are unique.
type numbers struct{ last atomic.Int64 }

// next is safe for concurrent use.
func (n *numbers) next() int { return int(n.last.Add(1)) }

// block reserves so many numbers and returns the first, and a function that counts up from it.
func (n *numbers) block(count int) (first int, next func() int) {
	first = int(n.last.Add(int64(count))) - count + 1
	within := &numbers{}
	within.last.Store(int64(first) - 1)
	return first, within.next
}

// mobileOf returns a different number for each n below two hundred million.
func mobileOf(n int) string { return fmt.Sprintf("1%010d", 3_100_000_000+n) }

func usernameOf(n int) string { return fmt.Sprintf("bench_%d", n) }

func emailOf(n int) string { return fmt.Sprintf("bench-%d@example.com", n) }

// seeded returns an index below the number of accounts, and one time in eleven one without an account.
func seeded(n, accounts int) int { return n * 7919 % (accounts + accounts/10) }
