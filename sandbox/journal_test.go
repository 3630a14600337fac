package sandbox_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/sandbox"
)

// journaling makes a sandbox write a journal and keep its certificate.
func journaling(t *testing.T, dir string) func(*sandbox.Config) {
	t.Helper()
	file, err := sandbox.OpenJournal(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return func(c *sandbox.Config) {
		c.Journal, c.CertificateFile = file, filepath.Join(dir, "certificate.pem")
	}
}

func TestJournal_has_every_message_as_the_inbox_shows_it(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := setup(t, journaling(t, dir))
	for _, id := range []string{"one@example.com", "two@example.com"} {
		if err := send(b.login(t), "a@example.org", "Message-ID: <"+id+">\r\n"+activationMail); err != nil {
			t.Fatal(err)
		}
	}
	var written []sandbox.Message
	for line := range bytes.Lines(read(t, dir, "journal")) {
		written = append(written, decode[sandbox.Message](t, string(line)))
	}
	kept := b.Messages("")
	for i := range kept {
		kept[i].ReceivedAt = kept[i].ReceivedAt.Round(0) // JSON knows no monotonic clock
	}
	if diff := cmp.Diff(kept, written); diff != "" {
		t.Errorf("journal (-inbox +journal):\n%s", diff)
	}
	if len(written) != 2 || written[0].MessageID != "one@example.com" || written[1].MessageID != "two@example.com" {
		t.Errorf("got %+v, want two mails with their ids", written)
	}
}

func TestOpenJournal_ends_a_line_that_was_cut_off(t *testing.T) {
	t.Parallel()
	for before, want := range map[string]string{
		"": "{}\n", "{}\n": "{}\n{}\n", "{}\n{\"id": "{}\n{\"id\n{}\n",
	} {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := sandbox.OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.WriteString("{}\n")
		if file.Close(); err != nil {
			t.Fatal(err)
		}
		if got := string(read(t, filepath.Dir(path), "journal")); got != want {
			t.Errorf("after %q: got %q, want %q", before, got, want)
		}
	}
}

func TestJournal_that_fails_is_logged_and_refuses_nothing(t *testing.T) {
	t.Parallel()
	file, err := os.Open(os.DevNull) // for reading only
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b := setup(t, func(c *sandbox.Config) { c.Journal = file })
	if err := send(b.login(t), "a@example.org", activationMail); err != nil {
		t.Fatal(err)
	}
	if b.only(t); !strings.Contains(b.log.String(), "not written to the journal") {
		t.Errorf("log: %s", b.log)
	}
}

func TestCertificateFile_keeps_the_certificate_over_a_restart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := setup(t, journaling(t, dir)), setup(t, journaling(t, dir))
	if !bytes.Equal(first.SMTPCA(), second.SMTPCA()) {
		t.Error("the second sandbox has another certificate")
	}
	if err := send(second.login(t), "a@example.org", activationMail); err != nil {
		t.Error(err)
	}
	if bytes.Contains(first.SMTPCA(), []byte("PRIVATE")) {
		t.Error("the key is handed out")
	}
	if err := os.WriteFile(filepath.Join(dir, "certificate.pem"), []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"}
	journaling(t, dir)(&config)
	if _, err := sandbox.Open(t.Context(), config); err == nil {
		t.Error("a file without a certificate is taken")
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
