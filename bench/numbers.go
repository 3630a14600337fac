package main

import (
	"fmt"
	"net/http"
	"strings"
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

// fillIn replaces the placeholders of a peer's request.
func fillIn(template string, n int) string {
	if !strings.Contains(template, "{") {
		return template
	}
	return strings.NewReplacer(
		"{mobile}", mobileOf(n), "{username}", usernameOf(n), "{email}", emailOf(n), "{n}", fmt.Sprint(n),
	).Replace(template)
}

// get and post write a whole request.
func get(addr, path string) []byte {
	return []byte(http.MethodGet + " " + path + " HTTP/1.1\r\nHost: " + addr + "\r\n\r\n")
}

func post(addr, path, body string) []byte {
	return send(http.MethodPost, addr, path, typeJSON, body)
}

func send(method, addr, path, media, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		method, path, addr, media, len(body), body)
}

const typeJSON = "application/json"
