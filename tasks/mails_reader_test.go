package tasks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/config"
	"usher/providers"
	"usher/providers/smtp"
	"usher/sandbox"
	"usher/tasks"
)

// senderName and senderAddress are what MAIL_FROM says in these tests.
const (
	senderName    = "海马注册中心"
	senderAddress = "sandbox@example.com"
)

// startSandbox runs a mail server and returns it with a client that is logged in to it.
func startSandbox(t *testing.T) (*sandbox.Server, *smtp.Client) {
	t.Helper()
	server, err := sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("sandbox: %v", err)
		}
	})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, server.SMTPCA(), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(server.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	account := server.Credentials().SMTP
	client, err := smtp.New(smtp.Config{
		Host: host, Port: number, TLS: "starttls", CAFile: ca,
		Username: account.Username, Password: config.Secret(account.Password),
		From: senderName + " <" + senderAddress + ">",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return server, client
}

// carried sends a mail through the server and returns what has arrived, parsed and as bytes.
func carried(t *testing.T, server *sandbox.Server, client *smtp.Client, email providers.Email) (sandbox.Message, []byte) {
	t.Helper()
	if _, err := client.SendEmail(t.Context(), email); err != nil {
		t.Fatal(err)
	}
	all := server.Messages("")
	got := all[len(all)-1]
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	url := "http://" + server.HTTPAddr() + "/api/messages/" + got.ID + "/raw"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := web.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("raw: %s, %v", response.Status, err)
	}
	return got, raw
}

// toCarry is every sample, and a subject that takes several encoded words on several lines.
func toCarry(t *testing.T) []tasks.Sample {
	t.Helper()
	samples := mustSamples(t)
	long := samples[0]
	long.Name, long.Email.Subject = "long subject", strings.Repeat("请激活您的账号 🦄 Ünïcode ", 5)+"完"
	return append(samples, long)
}

// The sandbox reads mails with the standard library's parsers.
func TestMails_arrives_as_it_was_written(t *testing.T) {
	t.Parallel()
	server, client := startSandbox(t)
	for _, sample := range toCarry(t) {
		got, raw := carried(t, server, client, sample.Email)
		for what, c := range map[string][2]string{
			"subject": {got.Subject, sample.Email.Subject},
			"from":    {got.From, senderName + " <" + senderAddress + ">"},
			"to":      {got.To, sample.Email.To.Reveal()},
			"text":    {got.Text, sample.Email.Text},
			"html":    {got.HTML, sample.Email.HTML},
		} {
			if diff := cmp.Diff(c[1], c[0]); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", sample.Name, what, diff)
			}
		}
		wantPlainLines(t, sample.Name, raw)
	}
}

// wantPlainLines checks what every server on the way can carry: ASCII in lines that none of them breaks.
func wantPlainLines(t *testing.T, name string, raw []byte) {
	t.Helper()
	lines := strings.Split(string(raw), "\r\n")
	for i, line := range lines {
		if len(line) > 78 {
			t.Errorf("%s: line %d has %d characters: %q", name, i+1, len(line), line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
			t.Errorf("%s: line %d is not plain ASCII: %q", name, i+1, line)
		}
	}
	if len(lines) < 10 {
		t.Errorf("%s: only %d lines end with CR and LF", name, len(lines))
	}
}

// Another language's parser has other opinions of what a mail may look like.
func TestMails_is_read_alike_by_a_parser_that_is_not_ours(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("USHER_TEST_REAL") == "1" {
			t.Fatal("USHER_TEST_REAL=1, and there is no python3 on this machine")
		}
		t.Skip("no python3 on this machine")
	}
	type reading struct {
		Subject   string   `json:"subject"`
		FromName  string   `json:"from_name"`
		From      string   `json:"from"`
		To        string   `json:"to"`
		MessageID string   `json:"message_id"`
		Types     []string `json:"types"`
		Text      string   `json:"text"`
		HTML      string   `json:"html"`
		Defects   []string `json:"defects"`
	}
	server, client := startSandbox(t)
	for _, sample := range toCarry(t) {
		_, raw := carried(t, server, client, sample.Email)
		command := exec.CommandContext(t.Context(), python, "-I", "testdata/readmail.py")
		var stderr bytes.Buffer
		command.Stdin, command.Stderr = bytes.NewReader(raw), &stderr
		out, err := command.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", sample.Name, err, &stderr)
		}
		var got reading
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%s: %v", sample.Name, err)
		}
		want := reading{
			Subject: sample.Email.Subject, FromName: senderName, From: senderAddress,
			To: sample.Email.To.Reveal(), MessageID: "<" + sample.Email.MessageID + ">",
			Types: []string{"multipart/alternative", "text/plain", "text/html"},
			Text:  sample.Email.Text, HTML: sample.Email.HTML, Defects: []string{},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sample.Name, diff)
		}
	}
}
