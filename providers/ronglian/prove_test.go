package ronglian_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"usher/providers"
)

func TestClient_CheckCredentials(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body   string
		proved bool
	}{
		"no number":         {`{"statusCode":"112300","statusMsg":"x"}`, true},
		"another refusal":   {`{"statusCode":"160042"}`, true},
		"wrong token":       {`{"statusCode":"111109"}`, false},
		"wrong application": {`{"statusCode":"111181"}`, false},
		"busy":              {`{"statusCode":"111111"}`, false},
		"rubbish":           {`<html>`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent struct{ To, ReqID string }
			path := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				path = r.URL.Path
				_ = json.NewDecoder(r.Body).Decode(&sent)
				fmt.Fprint(w, row.body)
			}))
			defer server.Close()
			err := open(t, server.URL).CheckCredentials(t.Context())
			if (err == nil) != row.proved {
				t.Errorf("got %v", err)
			}
			if _, ok := errors.AsType[*providers.Error](err); err != nil && !ok {
				t.Errorf("got %T, want *providers.Error", err)
			}
			if !strings.HasSuffix(path, "/SMS/TemplateSMS") || sent.To != "" || sent.ReqID != "" {
				t.Errorf("asked %s with %+v, want a send without a number", path, sent)
			}
		})
	}
}
