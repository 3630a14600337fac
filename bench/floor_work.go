package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail"
	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/errgroup"
)

// hash computes argon2id with the product's parameters on all cores and returns hashes per second.
func (f floor) hash(ctx context.Context) float64 {
	ctx, cancel := context.WithTimeout(ctx, f.Duration)
	defer cancel()
	var hashes atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for ctx.Err() == nil {
				argon2.IDKey([]byte("Some-passw0rd"), []byte("sixteen bytes...."), 2, 19*1024, 1, 32)
				hashes.Add(1)
			}
		})
	}
	group.Wait()
	return float64(hashes.Load()) / time.Since(began).Seconds()
}

// mail sends mails of the size of ours over live connections and returns mails per second.
func (f floor) mail(ctx context.Context) (float64, error) {
	clients := make([]*mail.Client, f.Concurrency)
	for i := range clients {
		client, err := f.mailClient()
		if err != nil {
			return 0, err
		}
		if err := client.DialWithContext(ctx); err != nil {
			return 0, err
		}
		defer func() { _ = client.Close() }()
		clients[i] = client
	}
	var left atomic.Int64
	left.Store(int64(f.Count))
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, client := range clients {
		group.Go(func() error {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				message, err := f.letter()
				if err != nil {
					return err
				}
				if err := client.Send(message); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	err := group.Wait()
	return float64(f.Count) / time.Since(began).Seconds(), err
}

// mailClient is one live connection. WithoutNoop saves the round trip by which go-mail probes a connection before each
// mail: a floor does the least work.
func (f floor) mailClient() (*mail.Client, error) {
	ca, err := os.ReadFile(f.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	host, port, err := net.SplitHostPort(f.SMTPAddr)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	return mail.NewClient(host, mail.WithPort(number), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithTLSConfig(&tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}),
		mail.WithSMTPAuth(mail.SMTPAuthPlain), mail.WithUsername(f.Username), mail.WithPassword(f.Password),
		mail.WithoutNoop(), mail.WithTimeout(10*time.Second))
}

// letter is as long as an activation mail.
func (f floor) letter() (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithEncoding(mail.EncodingB64))
	if err := message.From(f.Username); err != nil {
		return nil, err
	}
	if err := message.To("bench@example.com"); err != nil {
		return nil, err
	}
	message.Subject("激活您的账号")
	message.SetBodyString(mail.TypeTextPlain, strings.Repeat("激活链接 ", 30))
	message.AddAlternativeString(mail.TypeTextHTML, "<p>"+strings.Repeat("激活链接 ", 240)+"</p>")
	return message, nil
}
