package redisconn_test

import (
	"strings"
	"testing"

	"usher/store/redisconn"
)

// FuzzOpen reads addresses of any shape: none brings the process down, and no error quotes the password.
func FuzzOpen(f *testing.F) {
	const password = "hunter2hunter2"
	f.Add("redis://user:" + password + "@127.0.0.1:6379/0")
	f.Fuzz(func(t *testing.T, text string) {
		client, err := redisconn.Open(text, redisconn.Settings{})
		if err == nil {
			_ = client.Close()
			return
		}
		if strings.Contains(err.Error(), password) {
			t.Errorf("%q is quoted: %v", text, err)
		}
	})
}
