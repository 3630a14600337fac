package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"usher/store"
	"usher/tokens/rotation"
)

// TokenKeys keeps the history of the keys that sign tokens, by their public names, from what each process records. It is safe for
// concurrent use.
type TokenKeys struct{ store *Store }

// Record notes that a process publishes these keys now and signs with the first one. It must be called at the start of the
// process and every [rotation.RecordEvery].
func (k *TokenKeys) Record(ctx context.Context, kids ...string) error {
	args := []any{k.store.now().UnixMilli(), keepTokenKeys.Milliseconds()}
	for _, kid := range kids {
		args = append(args, kid)
	}
	err := tokenKeysScript.Run(ctx, k.store.client, []string{k.store.space.tokenKeysKey()}, args...).Err()
	return store.Wrap("record token keys", err)
}

// History returns what all processes have recorded.
func (k *TokenKeys) History(ctx context.Context) (rotation.History, error) {
	fields, err := k.store.client.HGetAll(ctx, k.store.space.tokenKeysKey()).Result()
	if err != nil {
		return rotation.History{}, fmt.Errorf("read history of token keys: %w", err)
	}
	history := rotation.History{Keys: map[string]rotation.Use{}}
	for field, text := range fields {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			continue // of a newer version
		}
		what, kid, _ := strings.Cut(field, ":")
		at, use := time.UnixMilli(ms).UTC(), history.Keys[kid]
		switch what {
		case "began":
			history.Began = at
			continue
		case "published":
			use.Published = at
		case "missing":
			use.Missing = at
		case "signed":
			use.Signed = at
		}
		history.Keys[kid] = use
	}
	return history, nil
}
