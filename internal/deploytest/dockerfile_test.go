package deploytest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usher/internal/testkit"
)

// stage is one FROM of the Dockerfile, with what it has from the stage that it is built on.
type stage struct {
	from       string
	runs       []string
	copied     map[string]string // what is in the image: where from, by its path
	entrypoint []string
	command    []string
	health     []string // nil for none
	user       string
}

// stages reads the Dockerfile. Instructions that it does not know end the test, so that none is overlooked.
func stages(t testing.TB) map[string]*stage {
	t.Helper()
	byName := map[string]*stage{}
	var now *stage
	for line := range strings.Lines(testkit.RepositoryFile(t, "Dockerfile")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "", "#":
		case "FROM":
			from, name, _ := strings.Cut(rest, " AS ")
			now = &stage{from: from, copied: map[string]string{}}
			if below := byName[from]; below != nil {
				now.user = below.user
			}
			byName[name] = now
		case "RUN":
			now.runs = append(now.runs, rest)
		case "COPY":
			if source, found := strings.CutPrefix(rest, "--from=build "); found {
				source, target, _ := strings.Cut(source, " ")
				now.copied[target] = source
			}
		case "ENTRYPOINT":
			now.entrypoint = words(t, rest)
		case "CMD":
			now.command = words(t, rest)
		case "HEALTHCHECK":
			if _, command, found := strings.Cut(rest, "CMD "); found {
				now.health = words(t, command)
			}
		case "USER":
			now.user = rest
		case "WORKDIR", "EXPOSE":
		default:
			t.Fatalf("Dockerfile: what does %s do here?", word)
		}
	}
	return byName
}

// words reads the exec form: there is no shell in the images for the other one.
func words(t testing.TB, text string) []string {
	t.Helper()
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("Dockerfile: %s: %v", text, err)
	}
	return list
}

// targets are the stages that are images of ours.
var targets = []string{"api", "worker", "admin", "sandbox"}

func TestDockerfile_images_hold_one_program_and_no_rights(t *testing.T) {
	t.Parallel()
	all := stages(t)
	for _, name := range targets {
		image := all[name]
		switch {
		case image == nil:
			t.Errorf("there is no target %s", name)
			continue
		case len(image.copied) != 1 || image.copied["/"+name] != "/out/"+name:
			t.Errorf("%s holds %v, want its program only", name, image.copied)
		case !slices.Equal(image.entrypoint, []string{"/" + name}):
			t.Errorf("%s starts %v", name, image.entrypoint)
		case image.user != "65532:65532":
			t.Errorf("%s runs as %q, want numbers that are not root's", name, image.user)
		}
		if name == "admin" { // it runs to its end
			continue
		}
		if want := []string{"/" + name, "-health"}; len(image.health) < 2 || !slices.Equal(image.health[:2], want) {
			t.Errorf("%s is asked for its health by %v, want %v", name, image.health, want)
		}
	}
}

// ignored is .dockerignore as a pattern of paths below the root.
func ignored(t testing.TB) *regexp.Regexp {
	t.Helper()
	var patterns []string
	for line := range strings.Lines(testkit.RepositoryFile(t, ".dockerignore")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.ContainsAny(line, "![]?") {
			t.Fatalf(".dockerignore: this test does not know %s", line)
		}
		line = regexp.QuoteMeta(line)
		line = strings.ReplaceAll(line, `\*\*/`, `(.*/)?`)
		patterns = append(patterns, strings.ReplaceAll(line, `\*`, `[^/]*`))
	}
	return regexp.MustCompile("^(" + strings.Join(patterns, "|") + ")$")
}

// sendContext copies to dir what docker would send to a build.
func sendContext(t testing.TB, dir string) {
	t.Helper()
	out := ignored(t)
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, name)
		switch {
		case out.MatchString(filepath.ToSlash(name)) && entry.IsDir():
			return filepath.SkipDir
		case out.MatchString(filepath.ToSlash(name)), !entry.IsDir() && !entry.Type().IsRegular():
			return nil
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
