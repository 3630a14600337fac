package deploytest_test

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"usher/internal/testkit"
)

// compose is docker-compose.yml; keys that are not here are mistakes.
type compose struct {
	Name     string
	Services map[string]service
	Volumes  map[string]any
	Shared   map[string]any `yaml:",inline"` // x-…
}

type service struct {
	Image    string
	Build    struct{ Context, Target string }
	Profiles []string
	Command  []string
	EnvFile  []struct {
		Path     string
		Required bool
	} `yaml:"env_file"`
	Environment     map[string]string
	DependsOn       map[string]struct{ Condition string } `yaml:"depends_on"`
	NetworkMode     string                                `yaml:"network_mode"`
	Ports           []string
	Volumes         []string
	Restart         string
	ReadOnly        bool          `yaml:"read_only"`
	CapDrop         []string      `yaml:"cap_drop"`
	SecurityOpt     []string      `yaml:"security_opt"`
	StopGracePeriod time.Duration `yaml:"stop_grace_period"`
	Logging         struct{ Driver string }
	Healthcheck     struct {
		Test              []string
		Interval, Timeout time.Duration
		Retries           int
	}
}

// passwords stand for those that an operator puts into .env.
var passwords = map[string]string{"POSTGRES_PASSWORD": "0a1b2c3d4e5f", "REDIS_PASSWORD": "5f4e3d2c1b0a"}

// readCompose reads the file as compose does, with the variables of .env in place.
func readCompose(t testing.TB) compose {
	t.Helper()
	text := regexp.MustCompile(`\$\{(\w+)(:\?[^}]*)?\}`).ReplaceAllStringFunc(testkit.RepositoryFile(t, "docker-compose.yml"),
		func(found string) string {
			name := regexp.MustCompile(`\w+`).FindString(found)
			if passwords[name] == "" {
				t.Errorf("docker-compose.yml: no comment says to set %s", name)
			}
			return passwords[name]
		})
	if strings.Contains(text, "$") {
		t.Error("docker-compose.yml: this test does not know some form of variable")
	}
	var file compose
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for name := range file.Shared {
		if !strings.HasPrefix(name, "x-") {
			t.Errorf("docker-compose.yml: compose knows no %s", name)
		}
	}
	return file
}

// environ is what the service's process gets: .env, and over it what the file itself says.
func (s service) environ(dotenv map[string]string) map[string]string {
	environ := map[string]string{}
	if len(s.EnvFile) > 0 {
		maps.Copy(environ, dotenv)
	}
	maps.Copy(environ, s.Environment)
	return environ
}

// ours are the services that run programs of ours.
func (c compose) ours() map[string]service {
	services := maps.Clone(c.Services)
	maps.DeleteFunc(services, func(_ string, s service) bool { return s.Build.Context == "" })
	return services
}

func TestCompose_starts_what_the_profile_is_for(t *testing.T) {
	t.Parallel()
	byProfile := map[string][]string{}
	services := readCompose(t).Services
	for _, name := range slices.Sorted(maps.Keys(services)) {
		profile := strings.Join(services[name].Profiles, ",")
		byProfile[profile] = append(byProfile[profile], name)
	}
	for profile, want := range map[string]string{
		"":        "api migrate postgres redis worker_email worker_events worker_sms",
		"admin":   "admin",
		"sandbox": "sandbox sandbox_api sandbox_worker",
	} {
		if got := strings.Join(byProfile[profile], " "); got != want {
			t.Errorf("profile %q has %s, want %s", profile, got, want)
		}
	}
}

func TestCompose_hardens_what_is_ours(t *testing.T) {
	t.Parallel()
	file, images := readCompose(t), stages(t)
	for name, s := range file.ours() {
		image := images[s.Build.Target]
		switch {
		case image == nil || !slices.Contains(targets, s.Build.Target):
			t.Errorf("%s: the Dockerfile has no image %q", name, s.Build.Target)
		case !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}):
			t.Errorf("%s: want a file system that is read only and no capability", name)
		case s.StopGracePeriod < grace(t)+closing:
			t.Errorf("%s is killed after %v, but may take %v", name, s.StopGracePeriod, grace(t)+closing)
		case image.health == nil && s.Restart != "no":
			t.Errorf("%s goes on for ever without a health check", name)
		}
	}
	for name, s := range file.Services {
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Logging.Driver != "local" {
			t.Errorf("%s: want no new privileges, and logs that do not fill the disk", name)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s to other machines", name, port)
			}
		}
		for other, d := range s.DependsOn {
			needed := file.Services[other]
			image := images[needed.Build.Target]
			healthy := needed.Healthcheck.Test != nil || image != nil && image.health != nil
			if d.Condition == "service_healthy" && !healthy {
				t.Errorf("%s waits for the health of %s, which has no health check", name, other)
			}
		}
	}
}

func TestCompose_keeps_what_Redis_holds(t *testing.T) {
	t.Parallel()
	command := strings.Join(readCompose(t).Services["redis"].Command, " ")
	for _, want := range []string{"--appendonly yes", "--maxmemory-policy noeviction", "--maxmemory ", "--requirepass "} {
		if !strings.Contains(command, want) {
			t.Errorf("redis runs %s, want %s", command, want)
		}
	}
}

// Keys are in one file for all services; each service blanks those that are not for it.
func TestCompose_gives_keys_to_those_who_use_them(t *testing.T) {
	t.Parallel()
	dotenv := map[string]string{}
	for name, v := range settings() {
		if v.Secret {
			dotenv[name] = "a secret"
		}
	}
	vendors := regexp.MustCompile(`^USHER_(ALIYUN|RONGLIAN|TENCENT|SMTP)_`)
	file := readCompose(t)
	for name, allowed := range map[string]string{
		"api": "", "migrate": "", "worker_sms": "ALIYUN RONGLIAN TENCENT", "worker_email": "SMTP", "worker_events": "",
	} {
		for variable, value := range file.Services[name].environ(dotenv) {
			vendor := vendors.FindStringSubmatch(variable)
			if vendor != nil && value != "" && !strings.Contains(allowed, vendor[1]) {
				t.Errorf("%s gets %s", name, variable)
			}
			if name == "migrate" && variable != "USHER_DATABASE_URL" {
				t.Errorf("%s gets %s", name, variable)
			}
		}
	}
}
