package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// benchSecret is in the path of the pushed reports.
const benchSecret = "a-secret-for-measurements"

// reports pushes one report of Aliyun for each of many sent codes, and checks that none was lost.
func (b *bench) reports(ctx context.Context) error {
	settings := map[string]string{"USHER_REPORT_SECRET": benchSecret}
	return b.against(ctx, settings, b.floorServer(0), func(api, bare *server) error {
		ids, err := b.sent(ctx, api.addr)
		if err != nil {
			return err
		}
		var pushed atomic.Int64
		err = b.compare(ctx, comparison{
			name: "reports", what: "take a delivery report", levels: b.size.levels, floor: "Echo, one round trip to Redis", target: ofFloor(0.50),
			callers: [sides]caller{
				ours: {addr: api.addr, make: func(int) request {
					return post("/v1/reports/aliyun/"+benchSecret, reportBody(ids[int(pushed.Add(1))%len(ids)]))
				}, want: http.StatusOK},
				theFloor: {addr: bare.addr, make: func(n int) request { return post("/checks", codeBody(n)) }, want: http.StatusOK},
			},
			count: len(ids)/(b.rounds*len(b.size.levels)+1) - 1, // and the warm-up
		})
		if err != nil {
			return err
		}
		return b.delivered(api.ops, min(int(pushed.Load()), len(ids)))
	})
}

// sent returns the ids of codes that the vendor has accepted.
func (b *bench) sent(ctx context.Context, api string) ([]string, error) {
	first, err := b.issue(ctx, api, b.size.codes)
	if err != nil {
		return nil, err
	}
	if _, err := b.work(ctx, b.codeQueue("aliyun", b.size.codes, usage{})); err != nil {
		return nil, err
	}
	return b.testbed.codeIDs(ctx, first, b.size.codes)
}

func reportBody(id string) string {
	return `[{"phone_number":"13800138000","send_time":"2026-01-02 03:04:05","report_time":"2026-01-02 03:04:08","success":true,` +
		`"err_code":"DELIVERED","err_msg":"用户接收成功","sms_size":"1","biz_id":"","out_id":"` + id + `"}]`
}

// delivered returns an error unless the API has counted so many messages as delivered.
func (b *bench) delivered(ops string, want int) error {
	text, err := fetch(ops, "/metrics", patience)
	if err != nil {
		return err
	}
	const metric = `usher_reports_total{provider="aliyun",state="delivered"} `
	_, rest, found := strings.Cut(string(text), metric)
	var counted float64
	if !found {
		return errors.New("no report was counted")
	}
	if _, err := fmt.Sscan(rest, &counted); err != nil {
		return err
	}
	b.sayf("  %.0f of %d messages are delivered by their reports", counted, want)
	if int(counted) != want {
		return fmt.Errorf("%d messages are delivered by %d reports", int(counted), want)
	}
	return nil
}
