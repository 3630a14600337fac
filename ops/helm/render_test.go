package helm_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const (
	chartDir   = "usher"
	repository = "../.."
	namespace  = "accounts"
)

// manifests are what the chart makes of a file of values, decoded, by name.
type manifests struct {
	deployments     map[string]apps.Deployment
	jobs            map[string]batch.Job
	pods            map[string]core.Pod
	services        map[string]core.Service
	ingresses       map[string]networking.Ingress
	policies        map[string]networking.NetworkPolicy
	budgets         map[string]policy.PodDisruptionBudget
	autoscalers     map[string]autoscaling.HorizontalPodAutoscaler
	scaledObjects   map[string]scaledObject
	serviceMonitors map[string]serviceMonitor
	rules           map[string]prometheusRule
	notes, text     string
}

// examples are the files of values beside the chart.
func examples(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(found) < 4 {
		t.Fatalf("examples %v, %v", found, err)
	}
	return found
}

// values reads a file of values, and puts others over it, which are YAML too.
func values(t *testing.T, file string, over ...string) chartutil.Values {
	t.Helper()
	read, err := chartutil.ReadValuesFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range over {
		more, err := chartutil.ReadValues([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		read = chartutil.MergeTables(more, read)
	}
	return read
}

// load reads the chart from its folder.
func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// complete puts the values over those of the chart, and checks them against its schema.
func complete(c *chart.Chart, values chartutil.Values) (chartutil.Values, error) {
	release := chartutil.ReleaseOptions{Name: "usher", Namespace: namespace, Revision: 1, IsInstall: true}
	return chartutil.ToRenderValues(c, values, release, chartutil.DefaultCapabilities)
}

// render does what `helm template usher ops/helm/usher` does.
func render(t *testing.T, file string, over ...string) manifests {
	t.Helper()
	c := load(t)
	all, err := complete(c, values(t, file, over...))
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := engine.Render(c, all)
	if err != nil {
		t.Fatal(err)
	}
	m := manifests{}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		text := rendered[name]
		if strings.HasSuffix(name, "NOTES.txt") {
			m.notes = text
			continue
		}
		m.text += text + "\n"
		for _, document := range releaseutil.SplitManifests(text) {
			if err := m.add(document); err != nil {
				t.Errorf("%s: %v\n%s", name, err, document)
			}
		}
	}
	return m
}

// add decodes a document into the type of its kind. A field that the type lacks is an error.
func (m *manifests) add(document string) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name         string `json:"name"`
			GenerateName string `json:"generateName"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal([]byte(document), &head); err != nil {
		return err
	}
	name := head.Metadata.Name + head.Metadata.GenerateName
	switch kind := head.APIVersion + " " + head.Kind; kind {
	case " ": // comments only
		return nil
	case "apps/v1 Deployment":
		return decode(document, name, &m.deployments)
	case "batch/v1 Job":
		return decode(document, name, &m.jobs)
	case "v1 Pod":
		return decode(document, name, &m.pods)
	case "v1 Service":
		return decode(document, name, &m.services)
	case "networking.k8s.io/v1 Ingress":
		return decode(document, name, &m.ingresses)
	case "networking.k8s.io/v1 NetworkPolicy":
		return decode(document, name, &m.policies)
	case "policy/v1 PodDisruptionBudget":
		return decode(document, name, &m.budgets)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return decode(document, name, &m.autoscalers)
	case "keda.sh/v1alpha1 ScaledObject":
		return decode(document, name, &m.scaledObjects)
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return decode(document, name, &m.serviceMonitors)
	case "monitoring.coreos.com/v1 PrometheusRule":
		return decode(document, name, &m.rules)
	default:
		return fmt.Errorf("this test does not know %s", kind)
	}
}

func decode[T any](document, name string, into *map[string]T) error {
	var object T
	if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
		return err
	}
	if *into == nil {
		*into = map[string]T{}
	}
	if _, again := (*into)[name]; again || name == "" {
		return fmt.Errorf("the name %q is used twice, or empty", name)
	}
	(*into)[name] = object
	return nil
}

// podSpecs are the specs of all pods, by the name of what makes them.
func (m *manifests) podSpecs() map[string]core.PodSpec {
	specs := map[string]core.PodSpec{}
	for name, d := range m.deployments {
		specs[name] = d.Spec.Template.Spec
	}
	for name, j := range m.jobs {
		specs[name] = j.Spec.Template.Spec
	}
	for name, p := range m.pods {
		specs[name] = p.Spec
	}
	return specs
}

// environ are the variables of a pod's only container.
func environ(spec core.PodSpec) map[string]string {
	variables := map[string]string{}
	for _, v := range spec.Containers[0].Env {
		variables[v.Name] = v.Value
	}
	return variables
}

func repositoryFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
