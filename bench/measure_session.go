package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"usher/tokens"
)

// forwardAuth asks who is signed in, as a proxy does before each request of another service.
func (b *bench) forwardAuth(ctx context.Context) error {
	err := b.signedIn(ctx, nil, get("/v1/auth"), get("/session"), comparison{
		name: "forward-auth", what: "forward-auth", target: ofFloor(0.75), floor: "Echo, one read from Redis",
	})
	if err == nil {
		b.reportTails("forward-auth")
	}
	return err
}

// token asks for tokens for another service, as the pages of signed-in people do every few minutes. Their limit is counted, and
// too high to be reached.
func (b *bench) token(ctx context.Context) error {
	key, err := tokens.NewKey("bench")
	if err != nil {
		return err
	}
	settings := map[string]string{
		"USHER_TOKEN_KEYS": key.Reveal(), "USHER_TOKEN_AUDIENCES": "app", "USHER_LIMITS": strings.Replace(everyLimit("off"), "token_account=off", "token_account=1000000/5m", 1),
	}
	const body = `{"aud":"app"}`
	return b.signedIn(ctx, settings, post("/v1/sessions/current/token", body), post("/token", body), comparison{
		name: "token", what: "tokens", target: ofFloor(0.50), floor: "Echo, two round trips to Redis, one row, a signature",
	})
}

// signedIn compares a request of 64 people in turn, who are signed in, with one of the floor.
func (b *bench) signedIn(ctx context.Context, settings map[string]string, mine, floors request, c comparison) error {
	cookies := make([]string, 64)
	first, err := b.seedPeople(ctx, len(cookies))
	if err != nil {
		return err
	}
	return b.against(ctx, settings, b.floorServer(0), func(api, bare *server) error {
		for i := range cookies {
			if cookies[i], err = cookieOf(api.addr, first+i); err != nil {
				return err
			}
		}
		with := func(s *server, r request) caller {
			return caller{addr: s.addr, want: http.StatusOK, make: func(n int) request { return r.as(cookies[n%len(cookies)]) }}
		}
		c.levels, c.callers = b.size.levels, [sides]caller{ours: with(api, mine), theFloor: with(bare, floors)}
		return b.compare(ctx, c)
	})
}

// signInOf is a person's request for a session.
func signInOf(n int) request {
	return post("/v1/sessions", `{"login":"`+usernameOf(n)+`","password":"`+password+`"}`)
}

// cookieOf signs a person in and returns the cookie.
func cookieOf(addr string, n int) (string, error) {
	c := newClient(addr, time.Now().Add(patience))
	defer c.CloseIdleConnections()
	status, err := c.do(signInOf(n))
	if err != nil || status != http.StatusCreated {
		return "", fmt.Errorf("sign-in of %s: %d, %w", usernameOf(n), status, err)
	}
	for _, set := range c.response.Header.Cookies() {
		cookie, _, _ := strings.Cut(string(set), ";")
		return cookie, nil
	}
	return "", fmt.Errorf("sign-in of %s set no cookie", usernameOf(n))
}
