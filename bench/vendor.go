package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"usher/sandbox"
)

// vendor is the sandbox, which counts messages and notes when each arrived.
type vendor struct {
	*server

	http, smtp string
	client     *http.Client
}

// openVendor starts the sandbox. It keeps no messages: the memory of a million would be the sandbox's, not ours.
func openVendor(ctx context.Context, dir string) (*vendor, error) {
	v := &vendor{client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
	var err error
	for _, addr := range []*string{&v.http, &v.smtp} {
		if *addr, err = freeAddr(); err != nil {
			return nil, err
		}
	}
	p, err := start(dir, "sandbox", nil, filepath.Join(dir, "sandbox"),
		"-http", v.http, "-smtp", v.smtp, "-limits=false", "-keep", "0", "-log-level", "warn")
	if err != nil {
		return nil, err
	}
	v.server, err = p.serves(ctx, v.http, "/api/credentials")
	return v, err
}

// delay delays every answer of Aliyun from now on.
func (v *vendor) delay(ctx context.Context, d time.Duration) error {
	var faults sandbox.Faults
	if d > 0 {
		faults.Aliyun = &sandbox.Fault{DelayMS: int(d.Milliseconds())}
	}
	return v.ask(ctx, http.MethodPut, "/api/faults", faults, nil)
}

// clear sets the counts to zero.
func (v *vendor) clear(ctx context.Context) error {
	return v.ask(ctx, http.MethodDelete, "/api/messages", nil, nil)
}

// arrivals returns the time of each number's message.
func (v *vendor) arrivals(ctx context.Context) (map[string]time.Time, error) {
	var tally sandbox.Tally
	if err := v.ask(ctx, http.MethodGet, "/api/tally?arrivals", nil, &tally); err != nil {
		return nil, err
	}
	times := make(map[string]time.Time, len(tally.Arrivals))
	for _, arrival := range tally.Arrivals {
		times[arrival.To] = time.Unix(0, arrival.At)
	}
	return times, nil
}

// await waits until a vendor has so many messages.
func (v *vendor) await(ctx context.Context, name string, count int) (sandbox.VendorTally, error) {
	var tally sandbox.Tally
	err := until(ctx, timeFor(count), func() (bool, error) {
		err := v.ask(ctx, http.MethodGet, "/api/tally", nil, &tally)
		return tally.Vendors[name].Count >= count, err
	})
	if err != nil {
		return sandbox.VendorTally{}, fmt.Errorf("%d of %d messages have come to %s: %w", tally.Vendors[name].Count, count, name, err)
	}
	return tally.Vendors[name], nil
}

// perSecond is the rate between the first message and the last.
func perSecond(t sandbox.VendorTally) float64 {
	return float64(t.Count-1) / time.Duration(t.Last-t.First).Seconds()
}

// ask calls the sandbox's own API. A nil result ignores the answer.
func (v *vendor) ask(ctx context.Context, method, path string, body, result any) error {
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+v.http+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	response, err := v.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the sandbox answers %s to %s %s: %.200s", response.Status, method, path, got)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(got, result)
}
