package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/config"
)

func TestWithFile_reads_what_foreman_reads(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), ".env")
	text := "# a comment\n#USHER_OFF=1\nUSHER_PLAIN=a b#c=d\r\nUSHER_SINGLE='it \\n stays'\nUSHER_DOUBLE=\"a \\\"b\\\"\\nc\"\n" +
		"USHER_EMPTY=\n USHER_SPACE=1\nUSHER_GIVEN=file\nUSHER_UNSET=file\nPATH=/tmp\nUSHER_LAST='"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := map[string]string{"USHER_GIVEN": "environment", "USHER_UNSET": "", "PATH": "/bin"}
	got, err := config.WithFile(environ, name)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"USHER_PLAIN": "a b#c=d", "USHER_SINGLE": `it \n stays`, "USHER_DOUBLE": "a \"b\"\nc", "USHER_EMPTY": "", "USHER_LAST": "'",
		"USHER_GIVEN": "environment", "USHER_UNSET": "file", "PATH": "/bin",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWithFile_needs_no_file(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"USHER_GIVEN": "x"}
	got, err := config.WithFile(environ, filepath.Join(t.TempDir(), ".env"))
	if err != nil || !cmp.Equal(got, environ) {
		t.Errorf("WithFile = %v, %v", got, err)
	}
	if _, err := config.WithFile(environ, t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
}
