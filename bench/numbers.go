package main

import (
	"fmt"
	"sync/atomic"
)

// numbers hands out what has not been used in this run: codes are limited by number, names are taken once.
type numbers struct{ last atomic.Int64 }

func (n *numbers) next() int { return int(n.last.Add(1)) }

// mobileOf is a number of its own for each of the first two hundred million.
func mobileOf(n int) string { return fmt.Sprintf("1%010d", 3_100_000_000+n) }

func usernameOf(n int) string { return fmt.Sprintf("bench_%d", n) }

func emailOf(n int) string { return fmt.Sprintf("bench-%d@example.com", n) }

// seeded returns one of so many numbers whose accounts are there, and now and then one whose account is not.
func seeded(n, accounts int) int { return n * 7919 % (accounts + accounts/10) }
