package aliyun_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"usher/providers"
)

func TestClient_CheckCredentials(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		status     int
		body       string
		proved     bool
		permission bool
	}{
		"a list":          {200, `{"Code":"OK","Message":"OK","TotalCount":"0","SmsSendDetailDTOs":{"SmsSendDetailDTO":[]}}`, true, false},
		"business":        {200, refusal("isv.MOBILE_NUMBER_ILLEGAL"), true, false},
		"wrong secret":    {400, refusal("SignatureDoesNotMatch"), false, false},
		"wrong id":        {404, refusal("InvalidAccessKeyId.NotFound"), false, false},
		"no permission":   {200, refusal("isp.RAM_PERMISSION_DENY"), false, true},
		"another such":    {403, refusal("Forbidden.RAM"), false, true},
		"too many":        {429, refusal("Throttling.User"), false, false},
		"a gateway's 503": {503, `<html>`, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			action := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				action = r.URL.Query().Get("Action")
				w.WriteHeader(row.status)
				fmt.Fprint(w, row.body)
			}))
			defer server.Close()
			err := open(t, server.URL).CheckCredentials(t.Context())
			if (err == nil) != row.proved || errors.Is(err, providers.ErrPermission) != row.permission {
				t.Errorf("got %v", err)
			}
			if _, ok := errors.AsType[*providers.Error](err); err != nil && !ok {
				t.Errorf("got %T, want *providers.Error", err)
			}
			if action != "QuerySendDetails" {
				t.Errorf("asked for %q", action)
			}
		})
	}
}
