package contact_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"usher/contact"
)

// The library reads the numbering plans of all regions when a process starts, also in a process that serves the mainland only.
func TestNumbering_plans_cost_little_at_the_start(t *testing.T) {
	t.Parallel()
	const bound = 4 << 20 // bytes allocated, of which about half stay
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	again.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	output, err := again.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	total := 0
	for _, line := range regexp.MustCompile(`init github\.com/nyaruka/phonenumbers\S* @.* (\d+) bytes`).FindAllSubmatch(output, -1) {
		bytes, err := strconv.Atoi(string(line[1]))
		if err != nil {
			t.Fatal(err)
		}
		total += bytes
	}
	if total == 0 || total > bound {
		t.Errorf("the library allocates %d bytes at the start, want 1 to %d:\n%s", total, bound, output)
	}
}

func BenchmarkParseMobile(b *testing.B) {
	for name, number := range map[string]string{
		"mainland": "13800138000", "mainland_pasted": "+86 138 0013 8000", "abroad": "+85251234567",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := contact.ParseMobile(number); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
