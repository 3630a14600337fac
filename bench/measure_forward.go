package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// forwardAuth asks who is signed in, as a proxy does before each request of another service.
func (b *bench) forwardAuth(ctx context.Context) error {
	const visitors = 64
	first, err := b.seedPeople(ctx, visitors)
	if err != nil {
		return err
	}
	return b.against(ctx, nil, floor{Kind: floorHTTP}, func(api *server, floorAddr string) error {
		cookies, err := signIn(api.addr, first, visitors)
		if err != nil {
			return err
		}
		err = b.compare(ctx, comparison{
			name: "forward-auth", what: "forward-auth", levels: b.size.levels, target: ofFloor(0.75), floor: "Echo, one read from Redis",
			callers: [sides]caller{
				ours: {addr: api.addr, make: func(n int) request {
					return request{method: http.MethodGet, path: "/v1/auth", cookie: cookies[n%visitors]}
				}, want: http.StatusOK},
				theFloor: {addr: floorAddr, make: func(n int) request {
					return request{method: http.MethodGet, path: "/session", cookie: cookies[n%visitors]}
				}, want: http.StatusOK},
			},
		})
		if err != nil {
			return err
		}
		b.reportTails("forward-auth")
		return nil
	})
}

// signIn signs people in, who follow the first, and returns their cookies.
func signIn(addr string, first, count int) (cookies []string, err error) {
	cookies = make([]string, count)
	for i := range cookies {
		if cookies[i], err = cookieOf(addr, first+i); err != nil {
			return nil, err
		}
	}
	return cookies, nil
}

// cookieOf signs a person in and returns the cookie.
func cookieOf(addr string, n int) (string, error) {
	c := newClient(addr, time.Now().Add(patience))
	defer c.CloseIdleConnections()
	status, err := c.do(post("/v1/sessions", `{"login":"`+usernameOf(n)+`","password":"`+password+`"}`))
	if err != nil || status != http.StatusCreated {
		return "", fmt.Errorf("sign-in of %s: %d, %w", usernameOf(n), status, err)
	}
	for _, set := range c.response.Header.Cookies() {
		cookie, _, _ := strings.Cut(string(set), ";")
		return cookie, nil
	}
	return "", fmt.Errorf("sign-in of %s set no cookie", usernameOf(n))
}
