package helm_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// What `helm lint --strict` does with each file of values.
func TestChart_pleases_lint(t *testing.T) {
	t.Parallel()
	for _, file := range examples(t) {
		for _, message := range lint.All(chartDir, values(t, file), namespace, true).Messages {
			// That a chart has no icon is information.
			if message.Severity >= support.WarningSev {
				t.Errorf("%s: %v", file, message)
			}
		}
	}
}

func TestChart_has_the_programs_of_compose_and_systemd(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct {
			Image    string   `json:"image"`
			Command  []string `json:"command"`
			Profiles []string `json:"profiles"`
		} `json:"services"`
	}
	if err := yaml.Unmarshal([]byte(repositoryFile(t, "docker-compose.yml")), &compose); err != nil {
		t.Fatal(err)
	}
	units, err := filepath.Glob(filepath.Join(repository, "ops/systemd/usher-*.service"))
	if err != nil || len(units) != 3 {
		t.Fatalf("units %v, %v", units, err)
	}
	m := render(t, "examples/small.yaml")
	specs := m.podSpecs()
	ours := 0
	for name, service := range compose.Services {
		if service.Profiles != nil || !strings.HasPrefix(service.Image, "usher-") {
			continue
		}
		ours++
		spec, found := specs["usher-"+strings.ReplaceAll(name, "_", "-")]
		if !found {
			t.Errorf("nothing is called after %s of docker-compose.yml", name)
			continue
		}
		container := spec.Containers[0]
		if image, _, _ := strings.Cut(container.Image, ":"); image != service.Image || !slices.Equal(container.Args, service.Command) {
			t.Errorf("%s runs %s %q, in compose %s %q", name, container.Image, container.Args, service.Image, service.Command)
		}
		unit, _, _ := strings.Cut(strings.Replace("usher-"+name, "_", "@", 1), "@")
		if !slices.ContainsFunc(units, func(path string) bool { return strings.HasPrefix(filepath.Base(path), unit) }) {
			t.Errorf("no unit of systemd is called after %s", name)
		}
	}
	if want := len(m.deployments) + len(m.jobs); ours != want || ours != 5 {
		t.Errorf("compose has %d programs of ours, the chart %d; want 5", ours, want)
	}
}

var channelsFlag = regexp.MustCompile(`"channels", "([a-z,]+)"`)

func TestChart_has_a_worker_for_each_channel(t *testing.T) {
	t.Parallel()
	found := channelsFlag.FindStringSubmatch(repositoryFile(t, "cmd/worker/main.go"))
	if found == nil {
		t.Fatal("cmd/worker has no flag -channels")
	}
	var served []string
	for name, d := range render(t, "examples/small.yaml").deployments {
		if channel, is := strings.CutPrefix(name, "usher-worker-"); is {
			served = append(served, channel)
			if args := d.Spec.Template.Spec.Containers[0].Args; !slices.Equal(args, []string{"-channels", channel}) {
				t.Errorf("%s runs with %q", name, args)
			}
		}
	}
	slices.Sort(served)
	if want := slices.Sorted(slices.Values(strings.Split(found[1], ","))); !slices.Equal(served, want) {
		t.Errorf("channels %v are served, want %v", served, want)
	}
}

func TestPods_are_restricted(t *testing.T) {
	t.Parallel()
	for _, file := range examples(t) {
		m := render(t, file, "admin: {args: [doctor]}")
		for name, spec := range m.podSpecs() {
			if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
				t.Errorf("%s: %s gets a token of Kubernetes", file, name)
			}
			if spec.HostNetwork || spec.HostPID || spec.HostIPC || len(spec.InitContainers) > 0 {
				t.Errorf("%s: %s uses the host, or has containers that this test does not check", file, name)
			}
			for _, volume := range spec.Volumes {
				if volume.HostPath != nil || volume.EmptyDir != nil {
					t.Errorf("%s: %s has the volume %s", file, name, volume.Name)
				}
			}
			for _, container := range spec.Containers {
				if fault := unrestricted(container.SecurityContext); fault != "" {
					t.Errorf("%s: %s: %s", file, name, fault)
				}
				if container.Resources.Limits.Memory().IsZero() || container.Resources.Requests.Cpu().IsZero() {
					t.Errorf("%s: %s has no bound of memory or asks for no processor", file, name)
				}
			}
		}
	}
}

// unrestricted says what a container lacks of the restricted Pod Security Standard and a file system that is read only.
func unrestricted(c *core.SecurityContext) string {
	is := func(flag *bool, want bool) bool { return flag != nil && *flag == want }
	switch {
	case c == nil:
		return "no security context"
	case !is(c.RunAsNonRoot, true):
		return "may run as root"
	case !is(c.ReadOnlyRootFilesystem, true):
		return "may write to its file system"
	case !is(c.AllowPrivilegeEscalation, false):
		return "may gain privileges"
	case c.Capabilities == nil || !slices.Equal(c.Capabilities.Drop, []core.Capability{"ALL"}) || c.Capabilities.Add != nil:
		return "has capabilities"
	case c.SeccompProfile == nil || c.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault:
		return "has no seccomp profile"
	case c.Privileged != nil:
		return "says whether it is privileged"
	default:
		return ""
	}
}

func TestPods_end_and_start_as_the_programs_expect(t *testing.T) {
	t.Parallel()
	for _, file := range examples(t) {
		m := render(t, file)
		for name, d := range m.deployments {
			spec := d.Spec.Template.Spec
			container := spec.Containers[0]
			var grace int64
			if _, err := fmt.Sscanf(environ(spec)["USHER_SHUTDOWN_GRACE"], "%ds", &grace); err != nil || grace < 20 {
				t.Errorf("%s: %s has USHER_SHUTDOWN_GRACE %d, %v", file, name, grace, err)
			}
			var pause int64
			if container.Lifecycle != nil {
				pause = container.Lifecycle.PreStop.Sleep.Seconds
			}
			if (pause > 0) != (name == "usher-api") {
				t.Errorf("%s: %s sleeps %d s before its end: the API alone has clients that must learn of it", file, name, pause)
			}
			if got := *spec.TerminationGracePeriodSeconds; got != pause+grace+5 {
				t.Errorf("%s: %s is killed after %d s, want %d", file, name, got, pause+grace+5)
			}
			port := map[bool]string{true: ":8081", false: ":8082"}[name == "usher-api"]
			if addr := environ(spec)["USHER_OPS_ADDR"]; addr != port || !hasPort(container, "ops", strings.TrimPrefix(port, ":")) {
				t.Errorf("%s: %s has its operations port at %q, ports %v", file, name, addr, container.Ports)
			}
			if got := container.LivenessProbe.HTTPGet; got == nil || got.Path != "/healthz" || got.Port.StrVal != "ops" {
				t.Errorf("%s: %s: liveness %+v", file, name, container.LivenessProbe)
			}
			command := []string{"/" + container.Name, "-health"}
			if got := container.ReadinessProbe.Exec; got == nil || !slices.Equal(got.Command, command) {
				t.Errorf("%s: %s: readiness %+v", file, name, container.ReadinessProbe)
			}
			spread := spec.TopologySpreadConstraints
			if len(spread) != 1 || spread[0].TopologyKey != "kubernetes.io/hostname" || spread[0].WhenUnsatisfiable != core.ScheduleAnyway ||
				!maps.Equal(spread[0].LabelSelector.MatchLabels, d.Spec.Selector.MatchLabels) {
				t.Errorf("%s: %s is spread by %+v", file, name, spread)
			}
			if image := "usher-" + container.Name + ":"; !strings.Contains(container.Image, image) || strings.HasSuffix(container.Image, ":") {
				t.Errorf("%s: %s runs %s", file, name, container.Image)
			}
		}
	}
}

func hasPort(c core.Container, name, number string) bool {
	return slices.ContainsFunc(c.Ports, func(p core.ContainerPort) bool { return p.Name == name && fmt.Sprint(p.ContainerPort) == number })
}

// A new pod must be ready before an old one ends, and at most one of several may be missing.
func TestPods_are_replaced_one_by_one(t *testing.T) {
	t.Parallel()
	m := render(t, "examples/full.yaml")
	for name, d := range m.deployments {
		rolling := d.Spec.Strategy.RollingUpdate
		if rolling == nil || rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() != 1 {
			t.Errorf("%s is replaced by %+v", name, d.Spec.Strategy)
		}
		budget, found := m.budgets[name]
		if !found || budget.Spec.MaxUnavailable.IntValue() != 1 || !maps.Equal(budget.Spec.Selector.MatchLabels, d.Spec.Selector.MatchLabels) {
			t.Errorf("%s has the budget %+v", name, budget.Spec)
		}
	}
	if budgets := render(t, "examples/small.yaml").budgets; len(budgets) != 0 {
		t.Errorf("budgets of single pods keep nodes from being emptied: %v", budgets)
	}
}

func TestMigration_runs_first_and_needs_nothing_of_the_chart(t *testing.T) {
	t.Parallel()
	for _, file := range examples(t) {
		m := render(t, file)
		job, found := m.jobs["usher-migrate"]
		if !found || job.Annotations["helm.sh/hook"] != "pre-install,pre-upgrade" {
			t.Fatalf("%s: jobs %v", file, m.jobs)
		}
		spec := job.Spec.Template.Spec
		if spec.RestartPolicy != core.RestartPolicyNever || job.Spec.ActiveDeadlineSeconds == nil {
			t.Errorf("%s: restarted %s, ends after %v", file, spec.RestartPolicy, job.Spec.ActiveDeadlineSeconds)
		}
		if keys := secretKeys(spec); !slices.Equal(keys, []string{"USHER_DATABASE_URL"}) {
			t.Errorf("%s: it gets %v", file, keys)
		}
	}
}

func TestTest_and_admin_pods_have_every_process_settings(t *testing.T) {
	t.Parallel()
	m := render(t, "examples/full.yaml", "admin: {args: [createsuperuser, -username, root]}")
	for _, name := range []string{"usher-doctor", "usher-admin-"} {
		pod, found := m.pods[name]
		if !found {
			t.Fatalf("pods %v", slices.Sorted(maps.Keys(m.pods)))
		}
		variables := environ(pod.Spec)
		for other, d := range m.deployments {
			for variable, value := range environ(d.Spec.Template.Spec) {
				if got, set := variables[variable]; (!set || got != value) && variable != "USHER_OPS_ADDR" && variable != "USHER_SHUTDOWN_GRACE" &&
					variable != "USHER_LOG_LEVEL" {
					t.Errorf("%s: %s is %q, for %s %q", name, variable, got, other, value)
				}
			}
		}
	}
	if pods := render(t, "examples/full.yaml").pods; len(pods) != 1 {
		t.Errorf("without arguments there are pods %v", slices.Sorted(maps.Keys(pods)))
	}
}
