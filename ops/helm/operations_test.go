package helm_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// chosen reports whether a selector chooses pods of the Deployment.
func chosen(t *testing.T, selector meta.LabelSelector, pod map[string]string) bool {
	t.Helper()
	s, err := meta.LabelSelectorAsSelector(&selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(labels.Set(pod))
}

func TestLabels_are_the_usual_ones(t *testing.T) {
	t.Parallel()
	m := render(t, "examples/full.yaml")
	for name, d := range m.deployments {
		component := strings.TrimPrefix(name, "usher-")
		for key, want := range map[string]string{
			"app.kubernetes.io/name": "usher", "app.kubernetes.io/instance": "usher", "app.kubernetes.io/component": component,
			"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/part-of": "usher",
		} {
			if got := d.Spec.Template.Labels[key]; got != want || d.Labels[key] != want {
				t.Errorf("%s: the label %s is %q and %q, want %q", name, key, d.Labels[key], got, want)
			}
		}
		if !chosen(t, *d.Spec.Selector, d.Spec.Template.Labels) || len(d.Spec.Selector.MatchLabels) != 3 {
			t.Errorf("%s chooses %v", name, d.Spec.Selector)
		}
		for other, e := range m.deployments {
			if name != other && chosen(t, *d.Spec.Selector, e.Spec.Template.Labels) {
				t.Errorf("%s chooses pods of %s", name, other)
			}
		}
	}
}

// Whatever shows people's data is behind the operations port, which only Prometheus and kubectl reach.
func TestOperations_ports_are_for_Prometheus_alone(t *testing.T) {
	t.Parallel()
	m := render(t, "examples/full.yaml")
	for name, service := range m.services {
		ops := strings.HasSuffix(name, "-ops")
		if ops && service.Spec.ClusterIP != core.ClusterIPNone || !ops && service.Spec.Type != "" {
			t.Errorf("%s is of type %q with address %q", name, service.Spec.Type, service.Spec.ClusterIP)
		}
		for _, port := range service.Spec.Ports {
			if (port.TargetPort.StrVal == "ops") != ops {
				t.Errorf("%s leads to the port %s", name, port.TargetPort.StrVal)
			}
		}
	}
	for name, ingress := range m.ingresses {
		for _, rule := range ingress.Spec.Rules {
			if rule.Host != "id.example.com" {
				t.Errorf("%s is for the host %s", name, rule.Host)
			}
			for _, path := range rule.HTTP.Paths {
				if got := path.Backend.Service; got.Name != "usher-api" || got.Port.Name != "http" {
					t.Errorf("%s leads to %v", name, got)
				}
			}
		}
	}
	if len(m.ingresses) != 1 || len(m.services) != 3 {
		t.Errorf("ingresses %v, services %v", m.ingresses, m.services)
	}
}

func TestPrometheus_finds_every_pod_under_the_names_of_the_alerts(t *testing.T) {
	t.Parallel()
	m := render(t, "examples/full.yaml")
	jobs := map[string]string{}
	for name, monitor := range m.serviceMonitors {
		endpoint := monitor.Spec.Endpoints[0]
		if got := endpoint.Authorization.Credentials; got.Key != "USHER_OPS_TOKEN" || got.Name != "usher" || endpoint.Path != "/metrics" {
			t.Errorf("%s asks %s with %+v", name, endpoint.Path, got)
		}
		if relabel := endpoint.Relabelings[1]; relabel.TargetLabel != "channels" || relabel.Regex != "worker-(.+)" ||
			!slices.Equal(relabel.SourceLabels, []string{"__meta_kubernetes_pod_label_app_kubernetes_io_component"}) {
			t.Errorf("%s labels channels by %+v", name, relabel)
		}
		for _, service := range m.services {
			if !chosen(t, monitor.Spec.Selector, service.Labels) {
				continue
			}
			if service.Spec.Ports[0].Name != endpoint.Port {
				t.Errorf("%s asks the port %s of %s", name, endpoint.Port, service.Name)
			}
			for deployment, d := range m.deployments {
				if chosen(t, meta.LabelSelector{MatchLabels: service.Spec.Selector}, d.Spec.Template.Labels) {
					jobs[deployment] += endpoint.Relabelings[0].Replacement
				}
			}
		}
	}
	want := map[string]string{
		"usher-api": "usher-api", "usher-worker-sms": "usher-worker", "usher-worker-email": "usher-worker", "usher-worker-events": "usher-worker",
	}
	if !maps.Equal(jobs, want) {
		t.Errorf("jobs of the pods %v, want %v", jobs, want)
	}
}

func TestRules_are_those_of_ops(t *testing.T) {
	t.Parallel()
	var ours prometheusRule
	if err := yaml.UnmarshalStrict([]byte(repositoryFile(t, "ops/alerts.yml")), &ours.Spec); err != nil {
		t.Fatal(err)
	}
	rendered, found := render(t, "examples/full.yaml").rules["usher"]
	if !found || len(rendered.Spec.Groups) != len(ours.Spec.Groups) || len(ours.Spec.Groups) == 0 {
		t.Fatalf("%d groups, want %d", len(rendered.Spec.Groups), len(ours.Spec.Groups))
	}
	for i, group := range ours.Spec.Groups {
		for j, rule := range group.Rules {
			got := rendered.Spec.Groups[i].Rules[j]
			book := rule.Annotations["runbook_url"]
			if got.Expr != rule.Expr || got.Alert != rule.Alert || got.Annotations["description"] != rule.Annotations["description"] ||
				book != "" && got.Annotations["runbook_url"] != "https://git.example.com/usher/blob/main/"+book {
				t.Errorf("%s %s is %+v", rule.Alert, rule.Record, got)
			}
		}
	}
}

func TestWorkers_scale_by_waiting_time(t *testing.T) {
	t.Parallel()
	m := render(t, "examples/full.yaml")
	for _, channel := range []string{"sms", "email", "events"} {
		name := "usher-worker-" + channel
		object, found := m.scaledObjects[name]
		if !found {
			t.Fatalf("scaled %v", slices.Sorted(maps.Keys(m.scaledObjects)))
		}
		spec := object.Spec
		trigger := spec.Triggers[0]
		query := `max(usher_queue_wait_seconds{namespace="accounts",queue=~"` + channel + `(-[0-9]+)?"})`
		if trigger.Type != "prometheus" || trigger.MetricType != "AverageValue" || trigger.Metadata["query"] != query ||
			trigger.Metadata["ignoreNullValues"] != "false" || trigger.Metadata["threshold"] == "" {
			t.Errorf("%s is scaled by %+v", name, trigger)
		}
		if spec.ScaleTargetRef.Name != name || spec.MinReplicaCount < 1 || spec.MaxReplicaCount <= spec.MinReplicaCount ||
			spec.Fallback.Replicas != spec.MinReplicaCount || spec.Fallback.FailureThreshold < 1 {
			t.Errorf("%s: %+v", name, spec)
		}
		down := spec.Advanced.HPA.Behavior.ScaleDown
		if *down.StabilizationWindowSeconds != 300 || len(down.Policies) != 1 || down.Policies[0].Value != 1 || down.Policies[0].PeriodSeconds != 60 {
			t.Errorf("%s shrinks by %+v", name, down)
		}
		if replicas := m.deployments[name].Spec.Replicas; replicas != nil {
			t.Errorf("%s has %d replicas, over which two would quarrel", name, *replicas)
		}
	}
	api := m.autoscalers["usher-api"].Spec
	if api.ScaleTargetRef.Name != "usher-api" || *api.MinReplicas != 3 || api.MaxReplicas != 12 || api.Metrics[0].Resource.Name != core.ResourceCPU ||
		m.deployments["usher-api"].Spec.Replicas != nil {
		t.Errorf("the API is scaled by %+v", api)
	}
	calm := render(t, "examples/pooled.yaml")
	if len(calm.scaledObjects)+len(calm.autoscalers) != 0 || *calm.deployments["usher-worker-sms"].Spec.Replicas != 2 {
		t.Errorf("without scaling: %v, %v", calm.scaledObjects, calm.autoscalers)
	}
}

// reach is what the policies let a pod open, and from whom it may be opened: ports with the number of peers.
func reach(t *testing.T, m manifests, pod map[string]string) (in map[string]int, out map[int]int) {
	t.Helper()
	in, out = map[string]int{}, map[int]int{}
	covered := false
	for name, policy := range m.policies {
		if !chosen(t, policy.Spec.PodSelector, pod) {
			continue
		}
		covered = true
		if !slices.Equal(policy.Spec.PolicyTypes, []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress}) {
			t.Errorf("%s is of %v", name, policy.Spec.PolicyTypes)
		}
		for _, rule := range policy.Spec.Ingress {
			for _, port := range rule.Ports {
				in[port.Port.StrVal] = len(rule.From)
			}
		}
		for _, rule := range policy.Spec.Egress {
			if len(rule.Ports) == 0 {
				t.Errorf("%s allows every port", name)
			}
			for _, port := range rule.Ports {
				out[port.Port.IntValue()] = len(rule.To)
			}
		}
	}
	if !covered {
		t.Errorf("no policy is for %v", pod)
	}
	return in, out
}

func TestPolicies_allow_what_each_process_needs_and_no_more(t *testing.T) {
	t.Parallel()
	m := render(t, "examples/full.yaml", "admin: {args: [doctor]}")
	pods := map[string]map[string]string{"migrate": m.jobs["usher-migrate"].Spec.Template.Labels, "doctor": m.pods["usher-doctor"].Labels}
	for name, d := range m.deployments {
		pods[strings.TrimPrefix(name, "usher-")] = d.Spec.Template.Labels
	}
	const anywhere = 0
	stores := map[int]int{53: anywhere, 5432: 1, 6379: anywhere}
	with := func(ports ...int) map[int]int {
		all := maps.Clone(stores)
		for _, port := range ports {
			all[port] = anywhere
		}
		return all
	}
	for name, want := range map[string]struct {
		in  map[string]int
		out map[int]int
	}{
		"api":           {map[string]int{"http": 1, "ops": 1}, with(4318, 443)},
		"worker-sms":    {map[string]int{"ops": 1}, with(4318, 443, 8883)},
		"worker-email":  {map[string]int{"ops": 1}, with(4318, 465, 587, 25)},
		"worker-events": {map[string]int{"ops": 1}, with(4318, 443, 8443)},
		"migrate":       {map[string]int{}, map[int]int{53: anywhere, 5432: 1}},
		"doctor":        {map[string]int{}, with(443, 8443, 8883, 465, 587, 25)},
	} {
		in, out := reach(t, m, pods[name])
		if !maps.Equal(in, want.in) || !maps.Equal(out, want.out) {
			t.Errorf("%s: opened at %v, want %v; opens %v, want %v", name, in, want.in, out, want.out)
		}
	}
	// Without a vendor's captcha the API opens nothing outside.
	small := render(t, "examples/small.yaml")
	inside := map[int]int{53: anywhere, 5432: anywhere, 6379: anywhere, 4318: anywhere}
	if _, out := reach(t, small, small.deployments["usher-api"].Spec.Template.Labels); !maps.Equal(out, inside) {
		t.Errorf("the API opens %v, want %v", out, inside)
	}
	if policies := render(t, "examples/full.yaml", "networkPolicy: {enabled: false}").policies; len(policies) != 0 {
		t.Errorf("policies that were switched off: %v", policies)
	}
}

func TestNotes_name_the_address_and_what_is_missing(t *testing.T) {
	t.Parallel()
	const ingress = "ingress: {enabled: true}"
	if notes := render(t, "examples/full.yaml").notes; !strings.Contains(notes, "https://id.example.com/register") || strings.Contains(notes, "TRUSTED") {
		t.Errorf("notes: %s", notes)
	}
	if notes := render(t, "examples/small.yaml", ingress, "settings: {USHER_TRUSTED_PROXIES: ''}").notes; !strings.Contains(notes, "USHER_TRUSTED_PROXIES is not set") {
		t.Errorf("notes: %s", notes)
	}
}
