package queue

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.opentelemetry.io/otel/trace"
)

// Enqueuing is what Asynq's client sends to enqueue a task, for a script that does so in one step with something else.
type Enqueuing struct {
	Task    string // key of the task
	Pending string // key of the queue's list
	Message any    // the encoded task
	ID      string // of the task
	Since   int64  // when it is enqueued, in Unix nanoseconds

	Channels []string // on which workers are to be notified, with an empty text
}

// Composer makes Asynq's client encode tasks without sending them: how a task looks in Redis stays Asynq's business. It is
// safe for concurrent use; make it with [NewComposer].
type Composer struct{ client *asynq.Client }

// NewComposer returns a composer. What Asynq sends beside the task, the name of a queue that this process uses for the first time,
// goes through the client, which the caller closes. For offset see [ClockHook].
func NewComposer(client redis.UniversalClient, offset func() time.Duration) *Composer {
	silent := redis.NewClient(&redis.Options{
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("a composer does not connect")
		},
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}, // they have goroutines
	})
	silent.AddHook(ClockHook(offset))
	silent.AddHook(composeHook(client))
	return &Composer{asynq.NewClientFromRedisClient(silent)}
}

// Compose returns what enqueues the task. The span of a tracer, which may be nil, covers the composition only.
func (c *Composer) Compose(ctx context.Context, tracer trace.Tracer, task Task) (Enqueuing, error) {
	var composed Enqueuing
	_, err := Enqueue(context.WithValue(ctx, composing{}, &composed), c.client, tracer, task)
	return composed, err
}

// composing is the key of the [Enqueuing] in the context of a composition.
type composing struct{}

// composeHook keeps the command that enqueues a task, and passes every other one on to the client.
func composeHook(client redis.UniversalClient) redis.Hook {
	return CommandHook(func(ctx context.Context, cmd redis.Cmder, _ redis.ProcessHook) error {
		into, _ := ctx.Value(composing{}).(*Enqueuing)
		name, isTask := queueOf(scriptKey(cmd, 2, 2), "pending")
		call, isCall := cmd.(*redis.Cmd)
		if into == nil || !isTask || !isCall {
			return client.Process(ctx, cmd)
		}
		*into = composedOf(call.Args()[3:], channelOf(name))
		call.SetVal(int64(1)) // as the script answers when it has enqueued the task
		return nil
	})
}

// composedOf reads the keys and arguments of Asynq's script.
func composedOf(args []any, channel string) Enqueuing {
	e := Enqueuing{Message: args[2], Channels: []string{channel}}
	e.Task, _ = args[0].(string)
	e.Pending, _ = args[1].(string)
	e.ID, _ = args[3].(string)
	e.Since, _ = args[4].(int64)
	return e
}
