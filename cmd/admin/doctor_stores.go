package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/app/front"
	"usher/config"
	"usher/store/redisstore"
	"usher/store/sqlstore"
)

// maxSkew is how far clocks may differ: scripts compare times that their callers give, and claims end by the clock.
const maxSkew = time.Second

// keysTried is how many numbers and addresses are opened to try the keys.
const keysTried = 1000

const clockHelp = "let NTP set the clocks of all machines"

func examineRedis(ctx context.Context, c config.Common) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	client, err := redisstore.Open(c.RedisURL.Reveal())
	if err != nil {
		return []finding{fail("Redis", err, "correct USHER_REDIS_URL")}
	}
	defer func() { _ = client.Close() }()
	if err := redisstore.Probe(ctx, client); err != nil {
		return []finding{fail("Redis", err, "start Redis, or correct USHER_REDIS_URL; see docs/operations.md")}
	}
	reports, err := redisstore.ExamineAll(ctx, client)
	if err != nil {
		return []finding{warn("Redis version", err, "let the user of USHER_REDIS_URL run INFO")}
	}
	var findings []finding
	for _, report := range reports {
		findings = append(findings, examineNode(report)...)
	}
	return findings
}

func examineNode(r redisstore.Report) []finding {
	name := "Redis"
	if r.Addr != "" {
		name += " " + r.Addr
	}
	var unwritten error
	if r.Unwritten {
		unwritten = errors.New("the last attempt to write to disk failed")
	}
	clock := warn(name+" clock", skewProblem(r.Skew), clockHelp)
	if r.Clockless {
		clock = warn(name+" clock", errors.New("the user may not ask for the time"), "let the user of USHER_REDIS_URL run TIME (ACL: +time)")
	}
	return []finding{
		fail(name+" version "+r.Version, r.VersionProblem(), "upgrade to Redis 6.2 or newer"),
		fail(name+" memory policy", r.PolicyProblem(),
			"set maxmemory-policy noeviction: with any other one a full Redis drops queued messages"),
		warn(name+" memory", r.MemoryProblem(), "give it more memory, or find out what fills it: docs/runbooks"),
		warn(name+" append-only file", r.KeepingProblem(), "set appendonly yes"),
		fail(name+" disk", unwritten, "look at its log, and at the space on its disk"),
		clock,
	}
}

func skewProblem(skew time.Duration) error {
	if skew.Abs() <= maxSkew {
		return nil
	}
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	return fmt.Errorf("its clock is %v %s this machine's", skew.Abs().Round(10*time.Millisecond), direction)
}

func examineDatabase(ctx context.Context, s front.Settings) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	db, err := sqlstore.Open(ctx, s.Config.DatabaseURL.Reveal())
	if err != nil {
		return []finding{fail("database", err, "start the database, or correct USHER_DATABASE_URL")}
	}
	defer func() { _ = db.Close() }()
	err = sqlstore.CheckSchema(ctx, db)
	if errors.Is(err, sqlstore.ErrSchemaNew) {
		err = nil
	}
	findings := []finding{fail("database schema", err, "run admin migrate up"), examineDatabaseClock(ctx, db)}
	if err == nil && s.Keys != nil {
		err = sqlstore.NewSeals(db, s.Keys, time.Now).Check(ctx, keysTried)
		findings = append(findings, fail("keys of the accounts", err,
			"correct the order of USHER_SECRET_KEYS, or put the missing key back; admin keys shows more, docs/keys.md tells what to do"))
	}
	return findings
}

func examineDatabaseClock(ctx context.Context, db *sqlstore.DB) finding {
	asked := time.Now()
	now, err := db.Now(ctx)
	if err == nil {
		err = skewProblem(redisstore.Skew(now, asked, time.Now()))
	}
	return warn("database clock", err, clockHelp)
}
