package smtp

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/contact"
	"usher/providers"
)

// FuzzClient_SendEmail talks to servers that say anything at all: the client ends when they do, and what it reports
// is bounded and shows neither the recipient nor the password.
func FuzzClient_SendEmail(f *testing.F) {
	f.Add("220 x\r\n250 AUTH PLAIN\r\n235 x\r\n250 x\r\n250 x\r\n354 x\r\n250 queued as 1\r\n")
	to, err := contact.ParseEmail("hai.ma@example.com")
	if err != nil {
		f.Fatal(err)
	}
	mail := providers.Email{MessageID: "id@example.com", To: to, Subject: "subject", Text: "text"}
	f.Fuzz(func(t *testing.T, script string) {
		port, stop := recite(t, script)
		defer stop()
		client, err := New(Config{
			Host: "127.0.0.1", Port: port, Username: "login@example.com", Password: "passwordpassword", TLS: noTLS, From: "login@example.com",
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		receipt, err := client.SendEmail(ctx, mail)
		_ = client.Close()
		if ctx.Err() != nil || len(receipt.ID) > 64 {
			t.Errorf("%q: %v, id %q", script, ctx.Err(), receipt.ID)
		}
		if err == nil {
			return
		}
		e := err.(*providers.Error) //nolint:errorlint // the type promised
		if len(e.Code) > 64 || strings.Contains(e.Error(), "hai.ma") || strings.Contains(e.Error(), "passwordpassword") {
			t.Errorf("%q: %v", script, err)
		}
	})
}

// recite says a text to everybody who connects, and nothing more.
func recite(t *testing.T, text string) (port int, stop func()) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				_, _ = io.WriteString(conn, text)
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			})
		}
	})
	return listener.Addr().(*net.TCPAddr).Port, func() {
		_ = listener.Close()
		group.Wait()
	}
}
