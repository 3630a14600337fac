package smtp

import (
	"bufio"
	"bytes"
	"net/textproto"
	"strings"
	"testing"
)

// dotWriter returns what the standard library makes of a mail.
func dotWriter(t testing.TB, mail []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := textproto.NewWriter(bufio.NewWriter(&out)).DotWriter()
	if _, err := w.Write(mail); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var hostileMails = []string{
	"", ".", "..", "\r", "\n", "\r\n", "\n\r", ".\r\n", ".\n", "..\r\n", "a", "a\r", "a\n", "a\r\n", "a.\r\n.b", "a\n.\nb", "a\r\n.\r\nb",
	"a\r.\rb", "a\r.\r\nQUIT\r\n", "a\n.\r\nMAIL FROM:<eve@example.com>\r\n", "\r\r\n.", "\r\r\r\n.", "a\r\r", "a\r\r\r", "\n\n\n", "\r\n\r\n.\r\n",
	"\x00.\x00\n\x00", strings.Repeat(".\n", 5000), strings.Repeat("a", 10_000), strings.Repeat("\r", 4097) + "\n",
}

func TestDotted_writes_what_the_standard_library_writes(t *testing.T) {
	t.Parallel()
	for _, mail := range hostileMails {
		if got, want := dotted([]byte(mail)), dotWriter(t, []byte(mail)); !bytes.Equal(got, want) {
			t.Errorf("%.40q: got %.60q, want %.60q", mail, got, want)
		}
	}
}

func FuzzDotted(f *testing.F) {
	for _, mail := range hostileMails {
		f.Add([]byte(mail))
	}
	f.Fuzz(func(t *testing.T, mail []byte) {
		before := bytes.Clone(mail)
		got := dotted(mail)
		if want := dotWriter(t, mail); !bytes.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", mail, got, want)
		}
		if !bytes.Equal(mail, before) {
			t.Errorf("%q became %q", before, mail)
		}
	})
}

func TestEnclose_refuses_addresses_that_end_their_line(t *testing.T) {
	t.Parallel()
	const good = "hai.ma@example.com"
	for _, bad := range []string{
		"a@example.com\r\nDATA", "a@example.com\n", "\ra@example.com", "a@example.com\x00", "a@example.com>\r\nRCPT TO:<eve@example.com",
	} {
		for _, row := range [][2]string{{bad, good}, {good, bad}} {
			if e, err := enclose(row[0], row[1], []byte("text")); err == nil || strings.Contains(err.Error(), "example") {
				t.Errorf("%q: got %v, %v", row, e.commands, err)
			}
		}
	}
	if _, err := enclose(good, good, nil); err != nil {
		t.Error(err)
	}
}
