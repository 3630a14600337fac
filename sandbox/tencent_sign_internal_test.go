package sandbox

import (
	"net/http"
	"testing"
	"time"
)

// TestTencent_published_signatures are the examples of the vendor's pages about signatures, with the names of the headers that
// each signs.
func TestTencent_published_signatures(t *testing.T) {
	t.Parallel()
	const body = `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`
	for _, c := range []struct {
		names     []string
		key, want string
	}{
		{
			[]string{"content-type", "host", "x-tc-action"},
			"********************************",
			"10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
		},
		{
			[]string{"host", "content-type"},
			"Gu5t9xGARNpq86cd98joQYCN3*******",
			"2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c",
		},
	} {
		call := &tencentCall{method: http.MethodPost, host: "cvm.tencentcloudapi.com", header: http.Header{}, body: []byte(body)}
		call.header.Set("Content-Type", "application/json; charset=utf-8")
		call.header.Set("X-TC-Action", "DescribeInstances")
		if got := call.signature("cvm", c.key, call.host, c.names, time.Unix(1551113065, 0).UTC()); got != c.want {
			t.Errorf("%v: got %s, want %s", c.names, got, c.want)
		}
	}
}
