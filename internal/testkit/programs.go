package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

const (
	realVar     = "USHER_TEST_REAL"
	redisVar    = "USHER_TEST_REDIS_URL"
	databaseVar = "USHER_TEST_DATABASE_URL"
)

// debianPostgres is where Debian and Ubuntu keep PostgreSQL's servers: outside PATH, a folder per version.
const debianPostgres = "/usr/lib/postgresql/*/bin/postgres"

// Stores describes the stores that tests on this machine use.
func Stores() string {
	redis, postgres := "miniredis (redis-server is missing or must not be used)", "SQLite (postgres is missing or must not be used)"
	if program := findRedis(); program != "" {
		redis = "redis-server " + version(program)
	}
	if program := findPostgres(); program != "" {
		postgres = "postgres " + version(program) + " and SQLite"
	}
	if os.Getenv(redisVar) != "" {
		redis = "the Redis of " + redisVar
	}
	if os.Getenv(databaseVar) != "" {
		postgres = "the PostgreSQL of " + databaseVar + " and SQLite"
	}
	return redis + ", " + postgres
}

// findRedis returns the path of redis-server, or "" when it is missing or must not be used.
func findRedis() string {
	if os.Getenv(realVar) == "0" {
		return ""
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return ""
	}
	return path
}

// findPostgres returns the path of the postgres program, the newest where there are several, or "" when it
// is missing or must not be used. Symbolic links are followed, because initdb is looked for beside it.
func findPostgres() string {
	if os.Getenv(realVar) == "0" {
		return ""
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		found, _ := filepath.Glob(debianPostgres) // the pattern is a valid constant
		if len(found) == 0 {
			return ""
		}
		path = slices.MaxFunc(found, func(a, b string) int { return majorOf(a) - majorOf(b) })
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if _, err := exec.LookPath(filepath.Join(filepath.Dir(path), "initdb")); err != nil {
		return ""
	}
	return path
}

// majorOf reads the version from a path of the form of [debianPostgres].
func majorOf(path string) int {
	major, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 sorts a foreign name last
	return major
}

// versionPattern matches 7.0.15 and 15.18.
var versionPattern = regexp.MustCompile(`\d+(\.\d+)+`)

// version returns the first thing that looks like a version in what the program says about itself.
func version(program string) string {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "of unknown version"
	}
	return versionPattern.FindString(string(out))
}

// demandReal fails the test when the environment demands real servers and this one is missing.
func demandReal(t testing.TB, program string) {
	t.Helper()
	if os.Getenv(realVar) == "1" {
		t.Fatalf("testkit: %s=1, and there is no %s on this machine", realVar, program)
	}
}
