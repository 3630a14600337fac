package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

// The address of a request's client. Proxies write X-Forwarded-For in several forms; only that of trusted proxies counts.
// The headers Forwarded and X-Real-Ip are ignored: a proxy that does not write them may pass on those of strangers.

// clientIP returns the address of the client behind trusted proxies: the last one in X-Forwarded-For that is not a trusted
// proxy's. The entries before it may be a stranger's invention. Without a trusted proxy it is the peer's address.
func (s *Server) clientIP() echo.IPExtractor {
	var warned atomic.Int64 // Unix time
	return func(r *http.Request) string {
		peer, _ := parseHop(r.RemoteAddr)
		if !s.isProxy(peer) {
			return textOf(peer)
		}
		client, fine := s.beforeProxies(peer, r.Header.Values(echo.HeaderXForwardedFor))
		if now := s.Now().Unix(); !fine && now-warned.Load() >= int64(time.Minute/time.Second) {
			warned.Store(now) // two simultaneous log lines do no harm
			s.Logger.LogAttrs(r.Context(), slog.LevelWarn,
				"a trusted proxy names no client in X-Forwarded-For: all clients behind it share its limits; "+
					"configure it to write the client's address",
				slog.String("proxy", textOf(client)))
		}
		return textOf(client)
	}
}

// beforeProxies goes from the peer towards the client. It reports false when a trusted proxy has written something other
// than an address, such as "unknown" or an empty entry: then that proxy counts as the client, since a stranger may have
// invented the entries before.
func (s *Server) beforeProxies(peer netip.Addr, lines []string) (client netip.Addr, fine bool) {
	client = peer
	for _, line := range slices.Backward(lines) {
		for rest, more := line, true; more; {
			var hop string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				hop, more = rest, false
			}
			addr, ok := parseHop(hop)
			if !ok {
				return client, false
			}
			if client = addr; !s.isProxy(addr) {
				return client, true
			}
		}
	}
	return client, true // a client on the machine or network of a proxy
}

func (s *Server) isProxy(addr netip.Addr) bool {
	return slices.ContainsFunc(s.Config.TrustedProxies, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// parseHop parses an address in the forms of proxies: bare, in brackets, with a port, in quotes, with a zone, or IPv4 as
// IPv6.
func parseHop(text string) (addr netip.Addr, ok bool) {
	text = strings.Trim(text, " \t\"")
	host, port := text, ""
	if inside, bracketed := strings.CutPrefix(text, "["); bracketed {
		if host, port, bracketed = strings.Cut(inside, "]"); !bracketed {
			return netip.Addr{}, false
		}
	} else if at := strings.IndexByte(text, ':'); at >= 0 && at == strings.LastIndexByte(text, ':') {
		host, port = text[:at], text[at:]
	}
	if port != "" && (port[0] != ':' || strings.Trim(port[1:], "0123456789") != "") {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.WithZone("").Unmap(), true
}

// textOf is empty for an unknown address.
func textOf(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}
