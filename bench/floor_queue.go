package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"usher/secrets"
)

// drain fills a queue, then clears it with one stock Asynq server, and returns tasks per second.
func (f floor) drain(ctx context.Context) (float64, error) {
	redis, err := asynq.ParseRedisURI(f.RedisURL)
	if err != nil {
		return 0, err
	}
	if err := f.fill(ctx, redis); err != nil {
		return 0, err
	}
	var handled, failed atomic.Int64
	var first atomic.Int64
	done := make(chan time.Time, 1)
	call := f.caller()
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency: f.Concurrency, Queues: map[string]int{"floor": 1}, LogLevel: asynq.FatalLevel,
		ShutdownTimeout: time.Second,
	})
	err = server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		first.CompareAndSwap(0, time.Now().UnixNano())
		if err := call(ctx, mobileOf(int(handled.Load()))); err != nil {
			failed.Add(1)
		}
		if handled.Add(1) == int64(f.Count) {
			done <- time.Now()
		}
		return nil
	}))
	if err != nil {
		return 0, err
	}
	defer server.Shutdown()
	select {
	case last := <-done:
		if failed.Load() > 0 {
			return 0, fmt.Errorf("%d calls have failed", failed.Load())
		}
		return float64(f.Count-1) / last.Sub(time.Unix(0, first.Load())).Seconds(), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// fill enqueues the tasks on eight connections: one would take longer than clearing the queue.
func (f floor) fill(ctx context.Context, redis asynq.RedisConnOpt) error {
	client := asynq.NewClient(redis)
	defer func() { _ = client.Close() }()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for range f.Count {
		group.Go(func() error {
			_, err := client.EnqueueContext(ctx, asynq.NewTask("code", payload()), asynq.Queue("floor"))
			return err
		})
	}
	return group.Wait()
}

// caller returns what a task does: nothing, or one call of Aliyun's SendSms, signed by hand.
func (f floor) caller() func(ctx context.Context, mobile string) error {
	if f.VendorURL == "" {
		return func(context.Context, string) error { return nil }
	}
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns: f.Concurrency, MaxIdleConnsPerHost: f.Concurrency, IdleConnTimeout: time.Minute,
		},
	}
	return func(ctx context.Context, mobile string) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.VendorURL+"?"+f.sign(mobile), nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		if err == nil && !strings.Contains(string(answer), `"Code":"OK"`) {
			err = errors.New("refused")
		}
		return err
	}
}

// sign returns a signed query of the interface's older form.
func (f floor) sign(mobile string) string {
	query := url.Values{
		"AccessKeyId": {f.KeyID}, "Action": {"SendSms"}, "Format": {"JSON"}, "OutId": {secrets.Random(22)},
		"PhoneNumbers": {mobile}, "RegionId": {"cn-hangzhou"}, "SignName": {"测试签名"},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {secrets.Random(22)}, "SignatureVersion": {"1.0"},
		"TemplateCode": {"SMS_71390007"}, "TemplateParam": {`{"code":"123456"}`},
		"Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")}, "Version": {"2017-05-25"},
	}.Encode()
	canonical := strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(query)
	mac := hmac.New(sha1.New, []byte(f.KeySecret+"&"))
	mac.Write([]byte("POST&%2F&" + url.QueryEscape(canonical)))
	return canonical + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
