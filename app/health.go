package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"usher/config"
)

// healthTimeout is longer than a probe takes and shorter than those who ask for health wait.
const healthTimeout = 3 * time.Second

// Health returns nil when the process beside this one whose operations port is at addr, as that process is
// told it, says that it is ready. It is what container health checks run: an image has no curl.
func Health(ctx context.Context, addr string, token config.Secret) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%sOPS_ADDR: want host:port or :port", config.Prefix)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens on all addresses
	}
	return AskHealth(ctx, "http://"+net.JoinHostPort(host, port)+"/readyz", token)
}

// AskHealth returns nil when the address answers 200. The token may be empty.
func AskHealth(ctx context.Context, url string, token config.Secret) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return errors.New("health: not an address that can be asked")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	// Its own transport: no proxy of the environment stands between a process and itself.
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s answers %s", url, response.Status)
	}
	return nil
}
