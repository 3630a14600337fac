package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// peer is an endpoint of another implementation that runs already, as the command line names it.
type peer struct{ url, method, body, media, good, seed string }

// peerFlags adds the options of an endpoint.
func peerFlags(flags *flag.FlagSet, name string) *peer {
	p := &peer{}
	name = "peer-" + name
	flags.StringVar(&p.url, name, "", "`URL` of the same in another implementation; {mobile}, {username}, {email} and {n} differ in each request")
	flags.StringVar(&p.method, name+"-method", "GET", "its `method`")
	flags.StringVar(&p.body, name+"-body", "", "its `body`, with the same placeholders")
	flags.StringVar(&p.media, name+"-type", "application/json", "its body's `type`")
	flags.StringVar(&p.good, name+"-good", "", "a `text` that only the body of a good answer has: some refuse with status 200")
	flags.StringVar(&p.seed, name+"-seed", "", "a shell `command` that stores what the requests of the numbers {from} to {to} need, before each round")
	return p
}

// check refuses a peer whose good answers could not be told from its refusals.
func (p *peer) check(name string) error {
	if p.url != "" && p.good == "" {
		return fmt.Errorf("-peer-%s needs -peer-%s-good, a text that only the body of a good answer has", name, name)
	}
	return nil
}

// caller returns the zero value for a peer that was not named. The answer to the request of number n has to be good, and
// its status that of all others.
func (p *peer) caller(ctx context.Context, n int) (caller, error) {
	if p == nil || p.url == "" {
		return caller{}, nil
	}
	// Braces are no part of an address, so the placeholders are filled in behind the host only.
	u, err := url.Parse(fillIn(p.url, 0))
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return caller{}, fmt.Errorf("want http://host:port/…, got %q", p.url)
	}
	path := p.url[len("http://")+len(u.Host):]
	c := caller{addr: u.Host, good: p.good, make: func(n int) request {
		if p.body == "" {
			return request{method: p.method, path: fillIn(path, n)}
		}
		return request{method: p.method, path: fillIn(path, n), media: p.media, body: fillIn(p.body, n)}
	}}
	if p.seed != "" {
		c.seed = p.runSeed
		if err := c.seed(ctx, n, 1); err != nil {
			return caller{}, err
		}
	}
	c.want, err = c.ask(n)
	return c, err
}

// runSeed runs the peer's command for so many numbers.
func (p *peer) runSeed(ctx context.Context, first, count int) error {
	command := strings.NewReplacer("{from}", strconv.Itoa(first), "{to}", strconv.Itoa(first+count-1)).Replace(p.seed)
	if said, err := exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.500s", command, err, said)
	}
	return nil
}

// ask sends the request of one number and returns the status of the answer, which has to be good.
func (c caller) ask(n int) (status int, err error) {
	client := newClient(c.addr, time.Now().Add(patience))
	client.good = c.good
	defer client.CloseIdleConnections()
	status, err = client.do(c.make(n))
	if err == nil && (status >= http.StatusBadRequest || c.want != 0 && status != c.want) {
		err = fmt.Errorf("an answer of status %d: %.200s", status, client.response.Body())
	}
	return status, err
}

// refuses reports whether a request is refused, whatever the form of the refusal.
func (c caller) refuses(n int) (bool, error) {
	status, err := c.ask(n)
	var refused refusal
	if err == nil || errors.As(err, &refused) || status >= http.StatusBadRequest {
		return err != nil, nil
	}
	return false, err
}
