package archtest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	edges := []edge{{"verify", "contact", "a code goes to a number"}, {"providers/*", "providers", "the contract"}}
	homes := homes{"example.org/queue": {"tasks", "cmd/*"}, "example.org/queue/tool": nil, "example.org/x": {"any"}}

	for name, test := range map[string]struct {
		from, to string
		want     string // a part of the complaint; "" for none
	}{
		"a listed edge":                  {"verify", "usher/contact", ""},
		"the same edge the other way":    {"contact", "usher/verify", "contact imports verify, which no edge allows"},
		"a listed pattern":               {"providers/aliyun", "usher/providers", ""},
		"one vendor to another":          {"providers/aliyun", "usher/providers/smtp", "providers/aliyun imports providers/smtp"},
		"the standard library":           {"verify", "net/http", ""},
		"a library at home":              {"tasks", "example.org/queue", ""},
		"a package of a library at home": {"cmd/admin", "example.org/queue/inspect", ""},
		"a library elsewhere":            {"verify", "example.org/queue", "verify imports example.org/queue, which internal/licences/dependencies.yaml does not allow"},
		"a library for all":              {"verify", "example.org/x/y", ""},
		"a module inside another":        {"tasks", "example.org/queue/tool", "which internal/licences/dependencies.yaml does not allow"},
		"a library with a similar name":  {"tasks", "example.org/queue2", "which internal/licences/dependencies.yaml does not allow"},
		"a library that is not listed":   {"tasks", "example.org/other", "which internal/licences/dependencies.yaml does not allow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packages := []listed{{ImportPath: "usher/" + test.from, Imports: []string{test.to}}}
			got := strings.Join(check(packages, edges, homes), "\n")
			if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestUnusedEdges(t *testing.T) {
	t.Parallel()
	used, unused := edge{"verify", "contact", "used"}, edge{"verify", "limits", "unused"}
	packages := []listed{{ImportPath: "usher/verify", Imports: []string{"usher/contact"}}}
	got := unusedEdges(packages, []edge{used, unused})
	if diff := cmp.Diff([]edge{unused}, got, cmp.AllowUnexported(edge{})); diff != "" {
		t.Errorf("unused edges (-want +got):\n%s", diff)
	}
}

func TestCheckBan(t *testing.T) {
	t.Parallel()
	b := ban{"cmd/api", []string{"usher/providers/"}, "the API cannot send"}
	packages := []listed{{ImportPath: "usher/providers"}, {ImportPath: "usher/providers/aliyun"}}
	got := checkBan(packages, b)
	if len(got) != 1 || !strings.HasPrefix(got[0], "cmd/api contains usher/providers/aliyun, but the API cannot send") {
		t.Errorf("got %q", got)
	}
}

func TestTables_give_a_reason_for_every_line(t *testing.T) {
	t.Parallel()
	for _, e := range edges {
		if e.why == "" {
			t.Errorf("the edge from %s to %s has no reason", e.from, e.to)
		}
	}
	for _, b := range bans {
		if b.why == "" {
			t.Errorf("the ban on %s has no reason", b.program)
		}
	}
}
