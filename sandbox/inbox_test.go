package sandbox_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"usher/sandbox"
)

func TestInbox_page_shows_messages_and_escapes_them(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustSendAliyun(t, "13800000011", "483920")
	hostile := "From: \"<script>x()</script>\" <a@example.com>\r\nSubject: <img src=x onerror=y()>\r\n" +
		"Content-Type: text/html\r\n\r\n<script>z()</script><a href='javascript:w()'>x</a>\r\n"
	if err := send(b.login(t), "a@example.org", hostile); err != nil {
		t.Fatal(err)
	}
	status, header, page := b.do(t, b.request(t, "GET", "/inbox", ""))
	if status != 200 {
		t.Fatalf("got %d", status)
	}
	for _, want := range []string{
		"<output>483920</output>", "13800000011", "…990001", "&#43;550@",
		b.Credentials().Aliyun.AccessKeySecret, `sandbox="allow-popups allow-popups-to-escape-sandbox"`,
		`data-fault="{&#34;delay_ms&#34;:3000}"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("page lacks %s", want)
		}
	}
	for _, bad := range []string{"<script>x", "<img src=x", "<script>z", "javascript:"} {
		if strings.Contains(page, bad) {
			t.Errorf("page holds %s", bad)
		}
	}
	csp := header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
		t.Errorf("page policy: got %q", csp)
	}
	_, header, mail := b.do(t, b.request(t, "GET", "/inbox/messages/2/html", ""))
	if csp := header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox ") ||
		strings.Contains(csp, "allow-scripts") || strings.Contains(csp, "allow-same-origin") {
		t.Errorf("mail policy: got %q", csp)
	}
	if !strings.Contains(mail, "<script>z()") {
		t.Errorf("mail: got %q, want it as it came", mail)
	}
	for _, path := range []string{"/inbox/messages/1/html", "/inbox/messages/x/html", "/inbox/inbox.html", "/inbox/nothing"} {
		if status, _, _ := b.do(t, b.request(t, "GET", path, "")); status != 404 {
			t.Errorf("%s: got %d, want 404", path, status)
		}
	}
}

func TestInbox_root_leads_to_the_page(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, header, _ := b.do(t, b.request(t, "GET", "/", ""))
	if status != http.StatusSeeOther || header.Get("Location") != "/inbox" {
		t.Errorf("got %d to %q", status, header.Get("Location"))
	}
}

func TestInbox_events_stream_new_messages(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	b.mustSendAliyun(t, "13800000011", "111111")
	response, err := b.client.Do(b.request(t, "GET", "/inbox/events?after=1", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	until := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), "111111") {
				t.Errorf("an old message came again: %s", lines.Text())
			}
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("the stream ended before %q: %v", want, lines.Err())
	}
	until(": open")
	b.mustSendAliyun(t, "13800000012", "222222")
	until("id: 2")
	until("222222")
	b.Clear()
	until("event: cleared")
	b.mustSendAliyun(t, "13800000013", "333333")
	until("333333")
}

func TestInbox_events_go_on_where_the_browser_was(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustSendAliyun(t, "13800000011", "111111")
	for header, want := range map[string]string{"0": "id: 1", "99": "id: 1"} { // 99 is of an earlier run
		r := b.request(t, "GET", "/inbox/events?after=1", "")
		r.Header.Set("Last-Event-ID", header)
		response, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() && lines.Text() != want {
		}
		if lines.Text() != want {
			t.Errorf("from %s: the message did not come", header)
		}
		response.Body.Close()
	}
}

func TestGuard_keeps_foreign_host_names_out(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for host, want := range map[string]int{
		"localhost:8083": 200, "127.0.0.1": 200, "127.9.9.9:1": 200, "[::1]:8083": 200, "LOCALHOST": 200,
		"evil.example": 403, "evil.example:8083": 403, "127.0.0.1.evil.example": 403, "10.0.0.1": 403,
	} {
		for _, path := range []string{"/api/messages", "/api/credentials", "/inbox"} {
			r := b.request(t, "GET", path, "")
			r.Host = host
			if status, _, _ := b.do(t, r); status != want {
				t.Errorf("%s with host %s: got %d, want %d", path, host, status, want)
			}
		}
	}
	params := b.aliyunParams("POST", "SendSms", smsPairs("13800000011", "123456")...)
	r := b.request(t, "POST", "/aliyun/?"+params.Encode(), "")
	r.Host = "dysmsapi.aliyuncs.com"
	if status, _, body := b.do(t, r); status != 200 {
		t.Errorf("a vendor call needs no host of ours: got %d %s", status, body)
	}
}

func TestGuard_serves_the_host_it_was_told_to_listen_on(t *testing.T) {
	t.Parallel()
	s, err := sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "localhost:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/api/messages", nil)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("got %d, want 200", w.Code)
	}
}

func TestGuard_refuses_writes_from_other_sites(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustSendAliyun(t, "13800000011", "123456")
	r := b.request(t, "DELETE", "/api/messages", "")
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _, _ := b.do(t, r); status != 403 {
		t.Errorf("got %d, want 403", status)
	}
	b.only(t)
}

func TestInbox_serves_its_own_files(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, want := range map[string]string{
		"/inbox/inbox.js": "text/javascript", "/inbox/inbox.css": "text/css", "/api/smtp-ca.pem": "application/x-pem-file",
		"/api/faults": "application/json",
	} {
		status, header, body := b.do(t, b.request(t, "GET", path, ""))
		if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), want) || body == "" {
			t.Errorf("%s: got %d %s, %d bytes", path, status, header.Get("Content-Type"), len(body))
		}
		if strings.Contains(body, "//cdn") || strings.Contains(body, "https://") {
			t.Errorf("%s names another site", path)
		}
	}
}
