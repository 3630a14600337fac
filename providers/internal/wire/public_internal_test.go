package wire

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestIsPublic(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"203.0.114.7": true, "8.8.8.8": true, "100.128.0.1": true, "2606:4700::1111": true, "2001:4860:4860::8888": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.100.100.200": false,
		"0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "203.0.113.7": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "fec0::1": false,
		"::ffff:10.0.0.1": false, "::10.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false, "2001:db8::1": false,
	} {
		if got := IsPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("IsPublic(%s) = %v", text, got)
		}
	}
	if IsPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// TestNewPublicClient uses the address that means "this host": it is neither public nor a loopback name.
func TestNewPublicClient_refuses_private_addresses_of_hosts_that_are_not_exempt(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, c := range []struct {
		host   string
		exempt []string
		want   error
	}{
		{"127.0.0.1", nil, nil},
		{"0.0.0.0", nil, ErrPrivate},
		{"0.0.0.0", []string{"sms.internal"}, ErrPrivate},
		{"0.0.0.0", []string{"sms.internal", "0.0.0.0"}, nil},
	} {
		client := NewPublicClient(c.exempt...)
		resp, err := client.Get("http://" + c.host + ":" + port)
		if !errors.Is(err, c.want) {
			t.Errorf("%s, exempt %v: %v", c.host, c.exempt, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
		client.CloseIdleConnections()
	}
}

// TestDial_checks_the_address_that_a_name_has_at_that_moment plays a name server whose second answer is another one.
func TestDial_checks_the_address_that_a_name_has_at_that_moment(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	var inside atomic.Bool
	resolver := rebinding(t, &inside)
	// Stands for IsPublic, since no test can connect to a public address.
	dial := dialWith(resolver, only(func(addr netip.Addr) bool { return addr == netip.MustParseAddr("127.0.0.1") }))
	conn, err := dial(t.Context(), "tcp4", "sms.test:"+port)
	if err != nil {
		t.Fatalf("first answer: %v", err)
	}
	_ = conn.Close()
	inside.Store(true)
	if conn, err = dial(t.Context(), "tcp4", "sms.test:"+port); !errors.Is(err, ErrPrivate) {
		t.Errorf("second answer: %v, want %v", err, ErrPrivate)
	}
	if err == nil {
		_ = conn.Close()
	}
}

// rebinding asks a name server that answers every name with 127.0.0.1, and once inside is set with 127.0.0.2.
func rebinding(t *testing.T, inside *atomic.Bool) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(packet)
			if err != nil {
				return
			}
			var query dnsmessage.Message
			if query.Unpack(packet[:n]) != nil || len(query.Questions) == 0 {
				continue
			}
			query.Response, query.Additionals = true, nil
			if question := query.Questions[0]; question.Type == dnsmessage.TypeA {
				address := dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}
				if inside.Load() {
					address.A[3] = 2
				}
				query.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class}, Body: &address,
				}}
			}
			if answer, err := query.Pack(); err == nil {
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}
