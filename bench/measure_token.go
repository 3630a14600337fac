package main

import (
	"context"
	"net/http"
	"strings"

	"usher/tokens"
)

// token asks for tokens for another service, as the pages of signed-in people do every few minutes. Their limit is counted, and
// too high to be reached.
func (b *bench) token(ctx context.Context) error {
	const people = 64
	first, err := b.seedPeople(ctx, people)
	if err != nil {
		return err
	}
	key, err := tokens.NewKey("bench")
	if err != nil {
		return err
	}
	settings := map[string]string{
		"USHER_TOKEN_KEYS": key.Reveal(), "USHER_TOKEN_AUDIENCES": "app", "USHER_LIMITS": strings.Replace(everyLimit("off"), "token_account=off", "token_account=1000000/5m", 1),
	}
	return b.against(ctx, settings, floor{Kind: floorHTTP}, func(api *server, floorAddr string) error {
		cookies, err := signIn(api.addr, first, people)
		if err != nil {
			return err
		}
		as := func(path string) func(int) request {
			return func(n int) request {
				r := post(path, `{"aud":"app"}`)
				r.cookie = cookies[n%people]
				return r
			}
		}
		return b.compare(ctx, comparison{
			name: "token", what: "tokens", levels: b.size.levels, target: ofFloor(0.50),
			floor: "Echo, two round trips to Redis, one row, a signature",
			callers: [sides]caller{
				ours:     {addr: api.addr, make: as("/v1/sessions/current/token"), want: http.StatusOK},
				theFloor: {addr: floorAddr, make: as("/token"), want: http.StatusOK},
			},
		})
	})
}
