package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// probeKey is a string: that a probe has written lately. It is one key for all processes.
const (
	probeKey = prefix + "probe"
	probeTTL = time.Minute
)

// Probe tries whether Redis takes writes, which a replica or a full server does not although it answers. The
// error says in a sentence for operators what is wrong, with the server's own words behind it.
func Probe(ctx context.Context, client redis.UniversalClient) error {
	return Explain(client.Set(ctx, probeKey, "", probeTTL).Err())
}

// explanations are what servers' refusals mean for whoever has set the URL.
var explanations = []struct{ prefix, meaning string }{
	{"NOAUTH", "redis wants a password: it belongs into the URL"},
	{"WRONGPASS", "redis refuses the user or the password of the URL"},
	{"NOPERM", "the Redis user lacks a permission, docs/operations.md lists them"},
	{"READONLY", "redis is a read-only replica: the URL must lead to the primary"},
	{"MOVED", "redis is a node of a cluster: want redis-cluster:// or rediss-cluster://"},
	{"CLUSTERDOWN", "the Redis cluster is not complete"},
	{"ERR This instance has cluster support disabled", "redis is not a cluster: want redis:// or rediss://"},
	{"OOM", "redis is full"},
	{"MISCONF", "redis cannot write to its disk"},
	{"LOADING", "redis is still reading its data"},
	{"MASTERDOWN", "redis is a replica that has lost its primary"},
	{"ERR DB index is out of range", "redis has no database of the URL's number"},
	{"ERR max number of clients reached", "redis has too many connections"},
	{"DENIED", "redis is in protected mode: it wants a password, or a user"},
}

// Explain puts a sentence for operators before the error of a command. The error stays in the chain; nil
// stays nil.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", meaning(err), err)
}

func meaning(err error) string {
	text := err.Error()
	if strings.Contains(text, allSentinels) {
		if strings.Contains(text, redis.Nil.Error()) {
			return "the sentinels know no primary of that name"
		}
		return "no sentinel tells who is the primary"
	}
	for _, e := range explanations {
		// A client puts words of its own before what it was told while connecting.
		if strings.HasPrefix(text, e.prefix) || strings.Contains(text, ": "+e.prefix) {
			return e.meaning
		}
	}
	var refused redis.Error
	var network net.Error
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "the certificate of redis is not to be trusted"
	case errors.As(err, new(tls.RecordHeaderError)):
		return "redis does not speak TLS there: want redis://, or its TLS port"
	case strings.Contains(text, "tls: certificate required"):
		return "redis wants a certificate of its clients: cert and key in the URL"
	case errors.Is(err, io.EOF):
		return "redis closed the connection: does it speak TLS there, want rediss://?"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "redis does not answer in time"
	case errors.As(err, &refused):
		return "redis refuses"
	default:
		return "redis cannot be reached"
	}
}
