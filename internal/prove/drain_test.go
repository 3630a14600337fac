package prove_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
)

// drain waits for the end of all work: the workers finish their tasks, and new ones recover
// those of killed workers, at once instead of after Asynq's fixed 90 seconds. When it returns no message is
// under way any more that could go out late or twice. All parts must be alive.
func (d *deployment) drain() {
	d.t.Helper()
	workers := append(d.kin("sms"), d.kin("email")...)
	for _, name := range workers {
		if err := d.stop(name); err != nil {
			d.t.Errorf("%s after SIGTERM: %v", name, err)
		}
	}
	client := d.redis()
	defer client.Close()
	d.ageLeases(client)
	d.start(workers...)
	db := d.sql()
	defer db.Close()
	var left string
	testkit.Eventually(d.t, patience, func() bool {
		left = d.undone(client, db)
		return left == ""
	}, "everything has come to its end")
}

// redis returns a client of the deployment's Redis itself, past every proxy.
func (d *deployment) redis() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: d.parts[partRedis].server.Addr()})
}

// sql returns a connection to the deployment's database itself.
func (d *deployment) sql() *sql.DB {
	d.t.Helper()
	db, err := sql.Open("postgres", d.parts[partPostgres].server.URL())
	if err != nil {
		d.t.Fatal(err)
	}
	return db
}

// ageLeases ends the leases of all active tasks, which no worker runs any more.
func (d *deployment) ageLeases(client *redis.Client) {
	d.t.Helper()
	ctx := context.WithoutCancel(d.t.Context())
	queues, err := client.SMembers(ctx, "asynq:queues").Result()
	if err != nil {
		d.t.Fatal(err)
	}
	for _, queue := range queues {
		key := "asynq:{" + queue + "}:"
		active, err := client.LRange(ctx, key+"active", 0, -1).Result()
		if err != nil {
			d.t.Fatal(err)
		}
		for _, task := range active {
			over := redis.Z{Score: float64(time.Now().Add(-61 * time.Second).Unix()), Member: task}
			if err := client.ZAdd(ctx, key+"lease", over).Err(); err != nil {
				d.t.Fatal(err)
			}
		}
	}
}

// undone describes the messages that are still under way, or returns "".
func (d *deployment) undone(client *redis.Client, db *sql.DB) string {
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	inspector := asynq.NewInspectorFromRedisClient(client)
	queues, err := inspector.Queues()
	if err != nil {
		return err.Error()
	}
	for _, queue := range queues {
		info, err := inspector.GetQueueInfo(queue)
		if err != nil {
			return err.Error()
		}
		if n := info.Pending + info.Active + info.Scheduled + info.Retry; n > 0 {
			return fmt.Sprintf("%d tasks on queue %s", n, queue)
		}
	}
	var mails int
	err = db.QueryRowContext(ctx,
		`select count(*) from messages where channel = 'email' and state in ('queued', 'sending')`).Scan(&mails)
	if err != nil {
		return err.Error()
	}
	if mails > 0 {
		return fmt.Sprintf("%d mails wait in the outbox", mails)
	}
	return ""
}

// usernames returns the names of all accounts.
func (d *deployment) usernames() map[string]bool {
	d.t.Helper()
	db := d.sql()
	defer db.Close()
	rows, err := db.QueryContext(d.t.Context(), `select username from accounts`)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	names := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			d.t.Fatal(err)
		}
		names[name] = true
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return names
}
