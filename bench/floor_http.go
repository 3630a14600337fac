package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/labstack/echo/v4"
	_ "github.com/lib/pq" // the driver called postgres
	"github.com/redis/go-redis/v9"

	usherqueue "usher/queue"
	"usher/secrets"
)

// floorServer answers as ours does, with no more than the round trips that the answers need.
type floorServer struct {
	redis *redis.Client
	db    *sql.DB
	queue *asynq.Client

	composer *usherqueue.Composer
	key      *ecdsa.PrivateKey
	trips    int
}

// script is of the size of ours: it checks the pause, then writes a code, the number's current code and the history.
var script = redis.NewScript(`
if redis.call('SET', KEYS[1], 1, 'NX', 'PX', 60000) == false then return 'pause' end
redis.call('HSET', KEYS[2], 'mac', ARGV[1], 'attempts', 0, 'expires_at', ARGV[2])
redis.call('PEXPIRE', KEYS[2], 1800000)
redis.call('SET', KEYS[3], ARGV[1], 'PX', 1800000)
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 100000, '*', 'id', ARGV[1], 'state', 'queued')
if KEYS[5] then -- as Asynq enqueues a task
  redis.call('HSET', KEYS[5], 'msg', ARGV[3], 'state', 'pending', 'pending_since', ARGV[4])
  redis.call('LPUSH', KEYS[6], ARGV[1])
end
return 'ok'`)

// payload is as long as that of a code's task.
func payload() []byte { return []byte(strings.Repeat("p", 250)) }

// serve answers until ctx ends. Pools are as large as ours by default, and PostgreSQL's parameters are binary as ours are:
// the floor is to differ in code only.
func (f floor) serve(ctx context.Context) error {
	options, err := redis.ParseURL(f.RedisURL)
	if err != nil {
		return err
	}
	options.PoolSize, options.ContextTimeoutEnabled = 64, true
	s := &floorServer{redis: redis.NewClient(options), trips: f.Trips}
	s.queue = asynq.NewClientFromRedisClient(s.redis)
	s.composer = usherqueue.NewComposer(s.redis, func() time.Duration { return 0 })
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	if s.db, err = sql.Open("postgres", f.DatabaseURL+"&binary_parameters=yes"); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(16)
	s.db.SetMaxIdleConns(16)
	e := echo.New()
	e.GET("/ready", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	e.POST("/codes", s.send)
	e.POST("/checks", s.check)
	e.GET("/names/:name", s.find)
	e.GET("/session", s.session)
	e.POST("/token", s.token)
	if err := s.redis.Set(ctx, sessionKey, strings.Repeat("s", sessionSize), 0).Err(); err != nil {
		return err
	}
	server := &http.Server{Addr: f.Addr, Handler: e, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// floorBody has the fields of our requests, so that parsing costs the same.
type floorBody struct {
	Mobile  string `json:"mobile"`
	Purpose string `json:"purpose"`
	Code    string `json:"code"`
}

// floorAnswer has the envelope of our answers, so that writing costs the same.
type floorAnswer struct {
	Errno  string         `json:"errno"`
	ErrMsg string         `json:"errmsg"`
	Data   map[string]any `json:"data"`
}

// send costs one trip for code and task together, before it one for limits if there are two, and one for each of them if there are three.
func (s *floorServer) send(c echo.Context) error {
	var body floorBody
	if err := c.Bind(&body); err != nil {
		return err
	}
	ctx, id := c.Request().Context(), secrets.Random(22)
	if s.trips > 1 {
		pipe := s.redis.Pipeline()
		pipe.GetDel(ctx, "captcha:"+id)
		pipe.Incr(ctx, "limit:"+body.Mobile[:7])
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	keys := []string{"pause:" + body.Mobile, "code:" + id, "current:" + body.Mobile, "history"}
	if err := s.store(ctx, keys, id); err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, floorAnswer{"0", "OK", map[string]any{"sms_code_id": id, "expires_in": 300}})
}

// store stores a code and enqueues its task.
func (s *floorServer) store(ctx context.Context, keys []string, id string) error {
	if s.trips > 2 {
		if err := script.Run(ctx, s.redis, keys, id, time.Now().UnixMilli()).Err(); err != nil {
			return err
		}
		_, err := s.queue.EnqueueContext(ctx, asynq.NewTask("code", payload()), asynq.TaskID(id), asynq.Queue("floor"))
		return err
	}
	task, err := s.composer.Compose(ctx, nil, usherqueue.Task{Type: "code", Queue: "floor", ID: id, Payload: string(payload())})
	if err != nil {
		return err
	}
	return script.Run(ctx, s.redis, append(keys, task.Task, task.Pending), id, time.Now().UnixMilli(), task.Message, task.Since).Err()
}

// check costs one script.
func (s *floorServer) check(c echo.Context) error {
	var body floorBody
	if err := c.Bind(&body); err != nil {
		return err
	}
	id := secrets.Random(22)
	keys := []string{"check:" + id, "checked:" + body.Mobile, "last:" + body.Mobile, "history"}
	if err := script.Run(c.Request().Context(), s.redis, keys, id, time.Now().UnixMilli()).Err(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, floorAnswer{"0", "OK", map[string]any{"valid": false, "attempts_left": 4}})
}

// find costs one read of an indexed column.
func (s *floorServer) find(c echo.Context) error {
	var found bool
	err := s.db.QueryRowContext(c.Request().Context(),
		"select exists (select 1 from accounts where username_key = $1)", c.Param("name")).Scan(&found)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, floorAnswer{"0", "OK", map[string]any{"username": c.Param("name"), "count": found}})
}

const (
	sessionKey  = "session"
	sessionSize = 330 // bytes of a session of ours
	tokenSize   = 380 // bytes of a token of ours before it is encoded
)

// session costs one read from Redis.
func (s *floorServer) session(c echo.Context) error {
	if err := s.redis.Get(c.Request().Context(), sessionKey).Err(); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

// token costs a read and an increment in Redis, one row, and an ES256 signature of a body like ours.
func (s *floorServer) token(c echo.Context) error {
	ctx := c.Request().Context()
	if err := s.redis.Get(ctx, sessionKey).Err(); err != nil {
		return err
	}
	var found bool
	if err := s.db.QueryRowContext(ctx, "select exists (select 1 from accounts where username_key = $1)", "no_such_name").Scan(&found); err != nil {
		return err
	}
	if err := s.redis.Incr(ctx, "limit:token").Err(); err != nil {
		return err
	}
	body := []byte(strings.Repeat("t", tokenSize))
	digest := sha256.Sum256(body)
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	if err != nil {
		return err
	}
	text := base64.RawURLEncoding.EncodeToString(append(body, signature...))
	return c.JSON(http.StatusOK, floorAnswer{"0", "OK", map[string]any{"token": text, "expires_in": 300}})
}
