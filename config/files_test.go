package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"usher/config"
)

func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_reads_secrets_from_files(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "redis://:pass word@redis.internal:6379/0\r\n")
	environ := map[string]string{
		"USHER_SECRET_KEYS_FILE":  secretFile(t, someKeys+"\n"),
		"USHER_REDIS_URL_FILE":    path,
		"USHER_REDIS_URL":         "", // as good as unset
		"USHER_DATABASE_URL_FILE": secretFile(t, "sqlite:x"),
		"USHER_LOG_LEVEL_FILE":    "/nowhere", // not a secret, so it is ignored
	}
	var api config.API
	var worker config.Worker
	if err := config.Load(environ, &api, &worker); err != nil {
		t.Fatal(err)
	}
	for _, c := range []config.Common{api.Common, worker.Common} {
		if c.SecretKeys != someKeys || c.RedisURL != "redis://:pass word@redis.internal:6379/0" || c.DatabaseURL != "sqlite:x" {
			t.Errorf("got %q, %q, %q", c.SecretKeys.Reveal(), c.RedisURL.Reveal(), c.DatabaseURL.Reveal())
		}
	}
	if err := os.WriteFile(path, []byte("redis://other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.Load(environ, &api); err != nil || api.RedisURL != "redis://other" {
		t.Errorf("loaded again: %q, %v", api.RedisURL.Reveal(), err)
	}
}

func TestLoad_refuses_files_and_quotes_neither_path_nor_content(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ path, also, want string }{
		"missing":                 {path: filepath.Join(t.TempDir(), "s3cret"), want: "no such file"},
		"the secret for its path": {path: "s3cret", want: "no such file"},
		"folder":                  {path: t.TempDir(), want: "regular file"},
		"pipe without a writer":   {path: pipe, want: "regular file"},
		"empty":                   {path: secretFile(t, "\n"), want: "empty"},
		"huge":                    {path: secretFile(t, strings.Repeat("s3cret", 64<<10)), want: "64 KiB"},
		"both":                    {path: secretFile(t, "s3cret"), also: "s3cret", want: "not both"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, map[string]string{"USHER_SECRET_KEYS_FILE": row.path, "USHER_SECRET_KEYS": row.also})
			mistakes, _ := err.(config.Mistakes) //nolint:errorlint // the type promised
			if len(mistakes) != 1 || mistakes[0].Variable != "USHER_SECRET_KEYS_FILE" || !strings.Contains(mistakes[0].Text, row.want) {
				t.Fatalf("mistakes = %v, want one for USHER_SECRET_KEYS_FILE with %q", err, row.want)
			}
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), row.path) {
				t.Errorf("the mistake shows too much: %v", err)
			}
		})
	}
}
