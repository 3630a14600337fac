package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/reports"
	"usher/store"
	"usher/verify"
)

// reportsAtOnce bounds one pipeline.
const reportsAtOnce = 500

// Reports stores the delivery reports of codes. It is safe for concurrent use.
type Reports struct{ store *Store }

var (
	_ reports.Store  = (*Reports)(nil)
	_ reports.Pushes = (*Reports)(nil)
)

// Remember stores the reference that a vendor has for a code's message instead of the code's id, so that [Reports.Apply]
// finds the code. A report that came before its reference is returned, for the caller to apply.
func (r *Reports) Remember(ctx context.Context, provider, reference, id string) (early []reports.Report, err error) {
	pipe := r.store.client.Pipeline() // both keys are in one slot, so the order holds in a cluster too
	pipe.Set(ctx, r.reference(provider, reference), id, keepReference)
	kept := pipe.GetDel(ctx, r.early(provider, reference))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, store.Wrap("remember reference", err)
	}
	if kept.Val() == "" { // no report came
		return nil, nil
	}
	var report reports.Report
	if err := json.Unmarshal([]byte(kept.Val()), &report); err != nil {
		return nil, fmt.Errorf("read early report: %w", err)
	}
	return []reports.Report{report}, nil
}

// reference returns the key of a vendor's reference, which is hashed because vendors choose its text.
func (r *Reports) reference(provider, reference string) string {
	return r.store.space.referenceKey(r.store.keys.Index("reference", provider+" "+reference))
}

// early returns the key of a report that came before its reference.
func (r *Reports) early(provider, reference string) string {
	return r.store.space.earlyKey(r.store.keys.Index("reference", provider+" "+reference))
}

// IsTaken implements [reports.Pushes].
func (r *Reports) IsTaken(ctx context.Context, provider, id string) (bool, error) {
	n, err := r.store.client.Exists(ctx, r.push(provider, id)).Result()
	return n > 0, err
}

// MarkTaken implements [reports.Pushes].
func (r *Reports) MarkTaken(ctx context.Context, provider, id string, ttl time.Duration) error {
	return r.store.client.Set(ctx, r.push(provider, id), "1", ttl).Err()
}

// push returns the key of a push, which is hashed because its sender chooses the id.
func (r *Reports) push(provider, id string) string {
	return r.store.space.pushKey(r.store.keys.Index("push", provider+" "+id))
}

// TryLock takes a lock for the given time and reports whether it was free. The lock ends by itself and cannot be released.
func (r *Reports) TryLock(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	mine, err := r.store.client.SetNX(ctx, r.store.space.lockKey(r.store.keys.Index("turn", name)), "1", ttl).Result()
	return mine, store.Wrap("take lock", err)
}

// Apply implements [reports.Store]. It takes one round trip, and one more for a vendor that names messages by references.
func (r *Reports) Apply(ctx context.Context, all []reports.Report) ([]reports.Result, error) {
	results := make([]reports.Result, 0, len(all))
	for some := range slices.Chunk(all, reportsAtOnce) {
		applied, err := r.apply(ctx, some)
		if err != nil {
			return nil, err
		}
		results = append(results, applied...)
	}
	return results, nil
}

// apply stores at most [reportsAtOnce] reports. A report of an unknown message has a zero result.
func (r *Reports) apply(ctx context.Context, all []reports.Report) ([]reports.Result, error) {
	ids, err := r.find(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("find reported codes: %w", err)
	}
	calls := make([]*call, len(all))
	var sent []*call
	for i, report := range all {
		id, resends, ok := verify.CodeOf(ids[i])
		if !ok {
			continue
		}
		ids[i] = id
		subject, _ := verify.SubjectOf(id)
		now := r.store.now()
		keys := []string{r.store.space.codeKey(subject, ids[i]), r.store.space.outcomesKey(subject)}
		calls[i] = &call{script: codeReportScript, keys: keys, args: []any{
			string(report.State), report.Provider, report.ProviderID, report.Code, cmp.Or(report.At, now).UnixMilli(), now.UnixMilli(), resends,
		}}
		sent = append(sent, calls[i])
	}
	r.store.run(ctx, sent)
	results := make([]reports.Result, len(all))
	for i, c := range calls {
		if c == nil {
			continue
		}
		answer, err := read(c.cmd)
		if err != nil {
			return nil, fmt.Errorf("store report: %w", err)
		}
		if len(answer) > 0 {
			results[i] = reports.Result{
				ID: ids[i], Changed: answer.number(0) == 1, IssuedAt: time.UnixMilli(answer.number(1)), To: answer.text(2),
			}
		}
	}
	return results, nil
}

// find returns the id of each report's code: the one in the report when it is a code's, else the one that was remembered for
// the report's reference, or "". A report whose reference is unknown is kept for a while: where the vendor makes the reference,
// a report may come before the answer of the send, which has the reference, is read.
func (r *Reports) find(ctx context.Context, all []reports.Report) ([]string, error) {
	ids := make([]string, len(all))
	asked := map[int]*redis.StringCmd{}
	pipe := r.store.client.Pipeline()
	for i, report := range all {
		if _, _, ours := verify.CodeOf(report.MessageID); ours {
			ids[i] = report.MessageID
			continue
		}
		early, err := json.Marshal(report)
		if err != nil {
			return nil, err
		}
		// It is kept before the question: Remember does the same in the other order, so that one of both finds the other.
		pipe.Set(ctx, r.early(report.Provider, report.MessageID), early, keepEarly)
		asked[i] = pipe.Get(ctx, r.reference(report.Provider, report.MessageID))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	for i, cmd := range asked {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		ids[i] = cmd.Val()
	}
	return ids, nil
}
