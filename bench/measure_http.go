package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
)

// codeRequest asks for a code for a number that has not asked before.
func codeRequest(n int) request { return post("/v1/sms-codes", codeBody(n)) }

// codeBody is the body of a request for a code, for the floor as for ours.
func codeBody(n int) string { return `{"mobile":"` + mobileOf(n) + `","purpose":"register"}` }

// plainCodes returns a caller that asks for codes without captchas.
func plainCodes(addr string) caller {
	return caller{addr: addr, make: codeRequest, want: http.StatusAccepted}
}

// codes are 64 callers that ask for codes as long as a round lasts.
func (b *bench) codes(addr string) load {
	return load{
		addr: addr, conns: 64, duration: b.duration, make: codeRequest, want: http.StatusAccepted, next: b.numbers.next,
	}
}

// send switches all limits off: one round trip to Redis remains.
func (b *bench) send(ctx context.Context) error {
	return b.sendWith(ctx, "send", "send-code, limits off", 1, nil)
}

// sendLimited counts every limit as in production, but none of them is ever reached. The second floor stores the code and enqueues
// its task one after the other, as services do that rely on Asynq's client.
func (b *bench) sendLimited(ctx context.Context) error {
	err := b.sendWith(ctx, "send-limits", "send-code, limits counted", 2, counted())
	if err != nil || b.django != nil {
		return err
	}
	return b.sendWith(ctx, "send-limits", "send-code, limits counted, code and task apart", 3, counted())
}

// sendWith compares requests for codes under the settings with a floor of as many round trips, or with the peer of -peer.
func (b *bench) sendWith(ctx context.Context, name, what string, trips int, settings map[string]string) error {
	if b.django != nil {
		return b.besideSend(ctx, name, what, settings)
	}
	c := comparison{
		name: name, what: what, levels: b.size.levels, target: ofFloor(0.80),
		floor: fmt.Sprintf("Echo, round trips to Redis: %d", trips),
	}
	if trips > 2 {
		c.levels, c.target = busiest, ofFloor(1)
	}
	return b.against(ctx, settings, b.floorServer(trips), func(api, bare *server) (err error) {
		c.callers[ours] = plainCodes(api.addr)
		c.callers[theFloor] = caller{addr: bare.addr, want: http.StatusAccepted, make: func(n int) request { return post("/codes", codeBody(n)) }}
		if c.callers[thePeer], err = b.peers["send"].caller(ctx, b.numbers.next()); err != nil {
			return err
		}
		if err := b.compare(ctx, c); err != nil {
			return err
		}
		b.reportTails(name)
		return b.spend(ctx, api, what)
	})
}

// reportTails compares the slowest requests of the last comparison with the usual one.
func (b *bench) reportTails(name string) {
	busiest := b.report.rows[len(b.report.rows)-1]
	p99 := row{measure: name, what: busiest.what + ", p99 over p50", unit: ratioOf, floor: busiest.floor, target: most(2)}
	p999 := row{measure: name, what: busiest.what + ", p99.9 over p50", unit: ratioOf, floor: busiest.floor, target: most(3)}
	for s := range sides {
		for round, p50 := range busiest.times[s].p50 {
			p99.add(s, busiest.times[s].p99[round]/p50)
			p999.add(s, busiest.times[s].p999[round]/p50)
		}
	}
	b.report.add(p99, p999)
}

// spend reports the processor time of a request for a code.
func (b *bench) spend(ctx context.Context, api *server, what string) error {
	before, used := b.usage(nil, api), usage{}
	o, err := b.codes(api.addr).run(ctx)
	if err != nil {
		return err
	}
	used.add(before, b.usage(nil, api))
	b.report.use("one request, "+what, used, o.done)
	return nil
}

// against runs a comparison between the API and another server, both on empty stores.
func (b *bench) against(ctx context.Context, settings map[string]string, other starter, hold func(api, other *server) error) error {
	pair, err := b.start(ctx, b.testbed.apiOf(settings), other)
	if err != nil {
		return err
	}
	defer pair.stop()
	return hold(pair.api, pair.other)
}

// floorServer starts the floor that serves HTTP.
func (b *bench) floorServer(trips int) starter {
	return func(ctx context.Context) (*server, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		p, err := floor{
			Kind: floorHTTP, Trips: trips, Addr: addr, RedisURL: b.testbed.redis.URL() + "/1", DatabaseURL: b.testbed.postgres.URL(),
		}.start(b.testbed)
		if err != nil {
			return nil, err
		}
		return p.serves(ctx, addr, "/ready")
	}
}

// check tries wrong codes, nine times each: what it costs is the same as for right ones.
func (b *bench) check(ctx context.Context) error {
	const tries = 9
	return b.against(ctx, nil, b.floorServer(0), func(api, bare *server) error {
		first, err := b.issue(ctx, api.addr, b.size.codes)
		if err != nil {
			return err
		}
		ids, err := b.testbed.codeIDs(ctx, first, b.size.codes)
		if err != nil {
			return err
		}
		var tried atomic.Int64
		body := func(k int) string {
			k %= b.size.codes
			return `{"sms_code_id":"` + ids[k] + `","mobile":"` + mobileOf(first+k) + `","purpose":"register","code":"000000"}`
		}
		return b.compare(ctx, comparison{
			name: "check", what: "check a code", levels: b.size.levels, floor: "Echo, one round trip to Redis",
			callers: [sides]caller{
				ours: {addr: api.addr, make: func(int) request {
					return post("/v1/sms-codes/check", body(int(tried.Add(1))))
				}, want: http.StatusOK},
				theFloor: {addr: bare.addr, make: func(n int) request { return post("/checks", body(n)) }, want: http.StatusOK},
			},
			count: tries * b.size.codes / (b.rounds*len(b.size.levels) + 1), // and the warm-up
		})
	})
}

// issue has so many codes issued and returns the number of the first; the others follow it.
func (b *bench) issue(ctx context.Context, api string, count int) (first int, err error) {
	first = int(b.numbers.last.Load()) + 1
	_, err = b.request(ctx, plainCodes(api), count)
	return first, err
}

// lookedUp is how many accounts are looked up.
const lookedUp = 1_000

// lookUps returns a caller that asks for accounts from the first on by their names or numbers, of which one in eleven has none.
func lookUps(s *server, path string, key func(n int) string, first int) caller {
	return caller{addr: s.addr, want: http.StatusOK, make: func(n int) request { return get(path + key(first+seeded(n, lookedUp))) }}
}

// lookUp asks for names and numbers.
func (b *bench) lookUp(ctx context.Context) error {
	first, err := b.seed(ctx, lookedUp, "")
	if err != nil {
		return err
	}
	return b.against(ctx, nil, b.floorServer(0), func(api, bare *server) error {
		names := comparison{
			name: "lookup", what: "look up a user name", levels: b.size.levels, target: ofFloor(0.70),
			floor: "Echo, one indexed read from PostgreSQL",
		}
		var err error
		names.callers[ours], names.callers[theFloor] = lookUps(api, "/v1/usernames/", usernameOf, first), lookUps(bare, "/names/", usernameOf, first)
		if names.callers[thePeer], err = b.peers["lookup"].caller(ctx, b.numbers.next()); err != nil {
			return err
		}
		if err := b.compare(ctx, names); err != nil {
			return err
		}
		mobiles := names
		mobiles.what, mobiles.callers[thePeer] = "look up a mobile number", caller{}
		mobiles.callers[ours] = lookUps(api, "/v1/mobiles/", mobileOf, first)
		return b.compare(ctx, mobiles)
	})
}
