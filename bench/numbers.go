package main

import (
	"fmt"
	"sync/atomic"
)

// numbers counts up, so that no number or name is used twice in a run: codes are limited by number, names are unique.
type numbers struct{ last atomic.Int64 }

// next is safe for concurrent use.
func (n *numbers) next() int { return int(n.last.Add(1)) }

// mobileOf returns a different number for each n below two hundred million.
func mobileOf(n int) string { return fmt.Sprintf("1%010d", 3_100_000_000+n) }

func usernameOf(n int) string { return fmt.Sprintf("bench_%d", n) }

func emailOf(n int) string { return fmt.Sprintf("bench-%d@example.com", n) }

// seeded returns an index below the number of accounts, and one time in eleven one without an account.
func seeded(n, accounts int) int { return n * 7919 % (accounts + accounts/10) }
