package faultproxy_test

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"usher/internal/faultproxy"
)

func TestProxy_passes_everything_on(t *testing.T) {
	t.Parallel()
	_, proxy := open(t)
	var clients sync.WaitGroup
	for i := range 20 {
		c := dial(t, proxy)
		clients.Go(func() {
			for j := range 20 {
				c.send(fmt.Sprintf("%d %d\n", i, j))
				c.reads(fmt.Sprintf("re %d %d", i, j))
			}
		})
	}
	clients.Wait()
}

func TestProxy_is_down_for_old_and_new_connections_until_it_is_up(t *testing.T) {
	t.Parallel()
	s, proxy := open(t)
	old := dial(t, proxy)
	old.send("a\n")
	old.reads("re a")
	proxy.SetMode(faultproxy.Down)
	old.isCut()
	refuses(t, proxy)
	proxy.SetMode(faultproxy.Pass)
	again := dial(t, proxy)
	again.send("b\n")
	again.reads("re b")
	if !s.saw("a") || !s.saw("b") {
		t.Error("the server was not asked")
	}
}

func TestProxy_stalls_and_goes_on_with_what_it_has(t *testing.T) {
	t.Parallel()
	s, proxy := open(t)
	proxy.SetMode(faultproxy.Stall)
	c := dial(t, proxy)
	c.send("a\n")
	c.isSilent()
	if s.saw("a") {
		t.Error("a stalled request reached the server")
	}
	proxy.SetMode(faultproxy.Pass)
	c.reads("re a")
}

func TestProxy_delays_answers(t *testing.T) {
	t.Parallel()
	s, proxy := open(t)
	c := dial(t, proxy)
	proxy.SetDelay(time.Hour)
	c.send("a\n")
	c.isSilent()
	if !s.saw("a") {
		t.Error("a delay of answers delays the request")
	}
	other := dial(t, proxy)
	proxy.SetDelay(time.Millisecond)
	other.send("b\n")
	other.reads("re b")
}

func TestProxy_resets_once(t *testing.T) {
	t.Parallel()
	_, proxy := open(t)
	c := dial(t, proxy)
	c.send("a\n")
	c.reads("re a")
	proxy.Reset()
	c.isCut()
	c = dial(t, proxy)
	c.send("b\n")
	c.reads("re b")
}

func TestProxy_cuts_clients_whose_server_is_not_there(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	proxy, err := faultproxy.Open(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, proxy)
	for range 2 {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestProxy_closes_with_clients_in_every_state(t *testing.T) {
	t.Parallel()
	_, proxy := open(t)
	trap := proxy.OnRequest("held", 1)
	held, idle := dial(t, proxy), dial(t, proxy)
	held.send("held\n")
	idle.send("a\n")
	idle.reads("re a")
	await(t, trap)
	proxy.SetMode(faultproxy.Stall)
	idle.send("b\n")
	if err := proxy.Close(); err != nil { // the test's end would not come, and goroutines be left
		t.Error(err)
	}
	held.isCut()
	idle.isCut()
}
