package smtp

import (
	"net"
	"strconv"
	"testing"

	"usher/providers/providertest"
)

func mustOpen(t testing.TB, server *providertest.MailServer) *Client {
	t.Helper()
	host, port, err := net.SplitHostPort(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	client, err := New(Config{
		Host: host, Port: number, Username: "login@example.com", Password: "password",
		TLS: startTLS, From: "login@example.com", CAFile: server.CAFile,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// BenchmarkClient_SendEmail compares connections that stay open, to servers with and without PIPELINING, with
// a connection for each mail.
func BenchmarkClient_SendEmail(b *testing.B) {
	run := func(b *testing.B, offer string, after func(*Client)) {
		b.Helper()
		server := providertest.NewMailServer(b, false)
		server.Offer(offer)
		client, email := mustOpen(b, server), providertest.Email(b)
		b.SetParallelism(maxConns)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := client.SendEmail(b.Context(), email); err != nil {
					b.Error(err)
				}
				after(client)
			}
		})
	}
	var reused, dialled float64
	b.Run("pipelined", func(b *testing.B) {
		run(b, "PIPELINING", func(*Client) {})
	})
	b.Run("reused", func(b *testing.B) {
		run(b, "SIZE", func(*Client) {})
		reused = float64(b.Elapsed()) / float64(b.N)
	})
	b.Run("dialled", func(b *testing.B) {
		run(b, "SIZE", func(c *Client) {
			if idle := c.pool.take(); idle != nil {
				idle.quit()
			}
		})
		dialled = float64(b.Elapsed()) / float64(b.N)
		if reused > 0 {
			b.ReportMetric(dialled/reused, "times-slower")
		}
	})
}
