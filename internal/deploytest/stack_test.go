package deploytest_test

import (
	"maps"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq"

	"usher/internal/testkit"
)

// stack runs services of docker-compose.yml as processes, in the order that they depend on one another. Each
// network namespace has its own ports there; here they are ports of loopback that the kernel chose.
type stack struct {
	t       *testing.T
	file    compose
	images  map[string]*stage
	dotenv  map[string]string
	ports   map[string]string // by "namespace:port"
	volumes map[string]string // folders by name
	running map[string]*testkit.Program
	order   []string // in which they were started
}

func newStack(t *testing.T, dotenv map[string]string) *stack {
	t.Helper()
	s := &stack{
		t: t, file: readCompose(t), images: stages(t), dotenv: dotenv,
		ports: map[string]string{}, volumes: map[string]string{}, running: map[string]*testkit.Program{},
	}
	redis := s.file.Services["redis"].Command
	if redis[0] != "redis-server" {
		t.Fatalf("redis runs %v", redis)
	}
	s.setPort("redis", "6379", testkit.RedisForm{Password: passwords["REDIS_PASSWORD"]}.Server(t, redis[1:]...).Addr())
	s.setPort("postgres", "5432", postgres(t, s.file.Services["postgres"].Environment))
	for name := range s.file.Volumes {
		s.volumes[name] = t.TempDir()
	}
	return s
}

// postgres starts a server with the user and the database that the image makes, and returns its address.
func postgres(t *testing.T, environ map[string]string) string {
	t.Helper()
	server := testkit.PostgresServer(t)
	db, err := sqlx.ConnectContext(t.Context(), "postgres", server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		"create role " + environ["POSTGRES_USER"] + " login password '" + environ["POSTGRES_PASSWORD"] + "'",
		"create database " + environ["POSTGRES_DB"] + " owner " + environ["POSTGRES_USER"],
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return server.Addr()
}

func (s *stack) setPort(namespace, port, addr string) {
	_, s.ports[namespace+":"+port], _ = strings.Cut(addr, ":")
}

// port is where on loopback the port of a service is found.
func (s *stack) port(name, port string) string {
	if shared, found := strings.CutPrefix(s.file.Services[name].NetworkMode, "service:"); found {
		name = shared
	}
	key := name + ":" + port
	if s.ports[key] == "" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.t.Fatal(err)
		}
		s.setPort(name, port, listener.Addr().String())
		_ = listener.Close()
	}
	return s.ports[key]
}

var (
	addresses = regexp.MustCompile(`([\w.]+):(\d+)\b`)
	portFlags = regexp.MustCompile(`(-p )(\d+)\b`)
)

// here rewrites what a service is told to what holds on this machine: names and ports of services, its own
// addresses, folders of volumes.
func (s *stack) here(name, text string) string {
	text = addresses.ReplaceAllStringFunc(text, func(found string) string {
		host, port, _ := strings.Cut(found, ":")
		switch _, isService := s.file.Services[host]; {
		case isService:
			return "127.0.0.1:" + s.port(host, port)
		case host == "127.0.0.1", host == "0.0.0.0":
			return "127.0.0.1:" + s.port(name, port)
		case host == "localhost": // in a browser on the host, where ports are published under their own numbers
			return host + ":" + s.port(name, port)
		default:
			return found
		}
	})
	for _, mount := range s.file.Services[name].Volumes {
		parts := strings.Split(mount, ":")
		text = strings.ReplaceAll(text, parts[1], s.volumes[parts[0]])
	}
	return text
}

func (s *stack) hereAll(name string, texts []string) []string {
	texts = slices.Clone(texts)
	for i, text := range texts {
		texts[i] = s.here(name, text)
	}
	return texts
}

// environ is what the service's process gets. Addresses that it is to listen on are told it outright.
func (s *stack) environ(name string) map[string]string {
	service := s.file.Services[name]
	environ := service.environ(s.dotenv)
	for variable, value := range environ {
		environ[variable] = s.here(name, value)
	}
	if port := service.Environment["USHER_SMTP_PORT"]; port != "" {
		environ["USHER_SMTP_PORT"] = s.port(name, port)
	}
	switch service.Build.Target {
	case "api":
		environ["USHER_HTTP_ADDR"] = "127.0.0.1:" + s.port(name, "8080")
		environ["USHER_OPS_ADDR"] = "127.0.0.1:" + s.port(name, "8081")
	case "worker":
		environ["USHER_OPS_ADDR"] = "127.0.0.1:" + s.port(name, "8082")
	}
	return environ
}

// up starts services and all that they depend on, each as soon as compose would.
func (s *stack) up(names ...string) {
	s.t.Helper()
	for _, name := range names {
		if slices.Contains(s.order, name) {
			continue
		}
		service := s.file.Services[name]
		if shared, found := strings.CutPrefix(service.NetworkMode, "service:"); found && !slices.Contains(s.order, shared) {
			s.up(shared)
		}
		for _, other := range slices.Sorted(maps.Keys(service.DependsOn)) {
			s.up(other)
			switch condition := service.DependsOn[other].Condition; condition {
			case "service_healthy":
				s.awaitHealth(other)
			case "service_completed_successfully":
				if code, said := s.running[other].AwaitEnd(s.t); code != 0 {
					s.t.Fatalf("%s: exit %d\n%s", other, code, said)
				}
			default:
				s.t.Fatalf("%s: this test does not know the condition %q", name, condition)
			}
		}
		s.order = append(s.order, name)
		if service.Build.Context != "" {
			s.running[name] = s.run(name, service.Command...)
		}
	}
}

// run starts the image's program.
func (s *stack) run(name string, command ...string) *testkit.Program {
	s.t.Helper()
	image := s.images[s.file.Services[name].Build.Target]
	if command == nil {
		command = image.command
	}
	argv := s.hereAll(name, append(slices.Clone(image.entrypoint), command...))
	return testkit.StartProgram(s.t, s.environ(name), program(s.t, argv[0]), argv[1:]...)
}

// awaitHealth asks like docker until the service is healthy.
func (s *stack) awaitHealth(name string) {
	s.t.Helper()
	testkit.Eventually(s.t, patience, func() bool {
		if p := s.running[name]; p != nil && p.Ended() {
			s.t.Fatalf("%s has ended", name)
		}
		return s.health(name) == 0
	}, "%s is healthy", name)
}

// health runs a service's health check once and returns its exit code.
func (s *stack) health(name string) int {
	s.t.Helper()
	service := s.file.Services[name]
	if test := service.Healthcheck.Test; test != nil {
		return s.storeHealth(name, test)
	}
	argv := s.hereAll(name, s.images[service.Build.Target].health)
	code, _ := testkit.StartProgram(s.t, s.environ(name), program(s.t, argv[0]), argv[1:]...).AwaitEnd(s.t)
	return code
}

// storeHealth runs the health check of an image that is not ours by the programs of this machine.
func (s *stack) storeHealth(name string, test []string) int {
	s.t.Helper()
	line := portFlags.ReplaceAllStringFunc(strings.Join(test[1:], " "), func(found string) string {
		return "-p " + s.port(name, strings.TrimPrefix(found, "-p "))
	})
	environ := s.environ(name)
	environ["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	argv := []string{"sh", "-c", line}
	if test[0] == "CMD" {
		argv = strings.Fields(line)
	}
	code, _ := testkit.StartProgram(s.t, environ, testkit.NeedProgram(s.t, argv[0]), argv[1:]...).AwaitEnd(s.t)
	return code
}

// down stops what runs, the last first, and wants each to end well in the time that it has.
func (s *stack) down() {
	s.t.Helper()
	for _, name := range slices.Backward(s.order) {
		p := s.running[name]
		if p == nil || p.Ended() {
			continue
		}
		if err := stop(p, s.file.Services[name].StopGracePeriod); err != nil {
			s.t.Errorf("%s after SIGTERM: %v", name, err)
		}
		if code := s.health(name); code != 1 {
			s.t.Errorf("the health check of %s, which has ended, exits with %d, want 1", name, code)
		}
	}
}

// addr is where a port of a service is found from outside.
func (s *stack) addr(name string, port int) string {
	return net.JoinHostPort("127.0.0.1", s.port(name, strconv.Itoa(port)))
}

// mounted is a file in a volume.
func (s *stack) mounted(volume, name string) string { return filepath.Join(s.volumes[volume], name) }
