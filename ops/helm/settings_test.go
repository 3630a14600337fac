package helm_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

// settings are those of docs/configuration.md, which is generated from the programs; true are secrets.
func settings(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(USHER_\\w+)` \\|.*$").FindAllStringSubmatch(repositoryFile(t, "docs/configuration.md"), -1) {
		found[row[1]] = strings.Contains(row[0], "**Secret.**")
	}
	if len(found) < 100 || !found["USHER_REDIS_URL"] || found["USHER_PUBLIC_URL"] {
		t.Fatalf("%d settings in docs/configuration.md", len(found))
	}
	return found
}

// secretKeys are the keys of Secrets that a pod gets as files, each of which must be where the variable _FILE says.
func secretKeys(spec core.PodSpec) []string {
	var keys []string
	for _, volume := range spec.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			for _, item := range source.Secret.Items {
				keys = append(keys, item.Key)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

var settingName = regexp.MustCompile(`\bUSHER_[A-Z0-9_]*[A-Z0-9]\b`)

func TestSettings_exist(t *testing.T) {
	t.Parallel()
	known := settings(t)
	for _, file := range examples(t) {
		m := render(t, file)
		for _, name := range settingName.FindAllString(m.text+m.notes, -1) {
			_, found := known[strings.TrimSuffix(name, "_FILE")]
			if _, itself := known[name]; !found && !itself {
				t.Errorf("%s: there is no setting %s", file, name)
			}
		}
	}
	for _, name := range settingName.FindAllString(repositoryFile(t, "ops/helm/usher/values.yaml"), -1) {
		if _, found := known[name]; !found && name != "USHER" {
			t.Errorf("values.yaml: there is no setting %s", name)
		}
	}
}

func TestSecrets_are_files_of_the_pods_that_need_them(t *testing.T) {
	t.Parallel()
	known := settings(t)
	vendors := regexp.MustCompile(`^USHER_(ALIYUN|RONGLIAN|TENCENT|SMTP)_`)
	for _, file := range examples(t) {
		m := render(t, file)
		for name, spec := range m.podSpecs() {
			variables := environ(spec)
			var files []string
			for variable, value := range variables {
				if known[variable] {
					t.Errorf("%s: %s has the secret %s as a variable", file, name, variable)
				}
				if setting, is := strings.CutSuffix(variable, "_FILE"); is && known[setting] {
					files = append(files, setting)
					if value != "/run/secrets/usher/"+setting {
						t.Errorf("%s: %s: %s is %s", file, name, variable, value)
					}
				}
			}
			slices.Sort(files)
			if keys := secretKeys(spec); !slices.Equal(keys, files) || len(keys) == 0 {
				t.Errorf("%s: %s gets files %v for the variables %v", file, name, keys, files)
			}
			if mounts := spec.Containers[0].VolumeMounts; !slices.ContainsFunc(mounts, func(m core.VolumeMount) bool {
				return m.Name == "secrets" && m.MountPath == "/run/secrets/usher" && m.ReadOnly
			}) {
				t.Errorf("%s: %s mounts %v", file, name, mounts)
			}
			for _, setting := range files {
				allowed := map[string]string{"usher-worker-sms": "ALIYUN RONGLIAN TENCENT", "usher-worker-email": "SMTP", "usher-doctor": "ALIYUN RONGLIAN TENCENT SMTP"}[name]
				if vendor := vendors.FindStringSubmatch(setting); vendor != nil && !strings.Contains(allowed, vendor[1]) {
					t.Errorf("%s: %s gets %s", file, name, setting)
				}
			}
			for _, item := range spec.Containers[0].Env {
				if item.ValueFrom != nil {
					t.Errorf("%s: %s has %s from elsewhere", file, name, item.Name)
				}
			}
		}
		if strings.Contains(m.text, "kind: Secret\n") {
			t.Errorf("%s: the chart makes a Secret", file)
		}
	}
}

// A secret that is put among the settings would be in the release's record and in `kubectl describe`.
func TestSchema_refuses_secrets_and_what_the_chart_sets(t *testing.T) {
	t.Parallel()
	c := load(t)
	for setting, secret := range settings(t) {
		names := map[string]bool{setting: secret}
		if secret {
			names[setting+"_FILE"] = true
		}
		for name, refused := range names {
			refused = refused || slices.Contains([]string{"USHER_HTTP_ADDR", "USHER_OPS_ADDR", "USHER_SHUTDOWN_GRACE"}, name)
			over := strings.ReplaceAll("settings: {%: https://x}\napi: {settings: {%: x}}\nworkers: {sms: {settings: {%: x}}}", "%", name)
			_, err := complete(c, values(t, "examples/small.yaml", over))
			if places := strings.Count(fmt.Sprint(err), name); (err != nil) != refused || refused && places < 3 {
				t.Errorf("%s is refused in %d places: %v, want refused %t", name, places, err, refused)
			}
		}
	}
}

func TestSchema_lists_the_secrets_of_the_programs(t *testing.T) {
	t.Parallel()
	var schema struct {
		Definitions struct {
			Keys struct {
				Items struct {
					Enum []string `json:"enum"`
				} `json:"items"`
			} `json:"secretKeys"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(repositoryFile(t, "ops/helm/usher/values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	var want []string
	for name, secret := range settings(t) {
		if secret {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if got := schema.Definitions.Keys.Items.Enum; !slices.Equal(got, want) {
		t.Errorf("values.schema.json knows the secrets\n%v\n, the programs\n%v", got, want)
	}
}

func TestSchema_refuses_mistakes(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, over := range []string{
		"settings: {USHER_PUBLIC_URL: null}",
		"settings: {USHER_PUBLIC_URL: id.example.com}",
		"settings: {usher_log_level: info}",
		"setings: {}",
		"workers: {sms: {replicas: 0}}",
		"workers: {sms: {scaling: {enabled: true, min: 0}}}",
		"workers: {fax: {replicas: 1}}",
		"secrets: {keys: [USHER_SECRET_KEYS, USHER_REDIS_URL, USHER_DATABASE_URL]}", // no token for the operations port
		"secrets: {keys: [USHER_SECRET_KEYS, USHER_REDIS_URL, USHER_DATABASE_URL, USHER_OPS_TOKEN, USHER_LOG_LEVEL]}",
		"files: {ca: {path: etc/usher, secret: x}}",
		"files: {ca: {path: /etc/usher}}",
		"files: {ca: {path: /etc/usher, secret: x, configMap: y}}",
		"networkPolicy: {redis: {ports: []}}",
		"image: {registry: registry.example.com}",
		"shutdownGraceSeconds: 0",
	} {
		if _, err := complete(c, values(t, "examples/small.yaml", over)); err == nil {
			t.Errorf("%s is accepted", over)
		}
	}
}

func TestSettings_of_a_program_go_over_those_of_all(t *testing.T) {
	t.Parallel()
	m := render(t, "examples/full.yaml", "settings: {USHER_OPS_PPROF: true}\napi: {settings: {USHER_OPS_PPROF: false}}")
	got := map[string]string{}
	for name, d := range m.deployments {
		variables := environ(d.Spec.Template.Spec)
		got[name] = variables["USHER_LOG_LEVEL"] + " " + variables["USHER_OPS_PPROF"] + " " + variables["USHER_HTTP_CONNECTIONS"]
		if len(variables) != len(d.Spec.Template.Spec.Containers[0].Env) {
			t.Errorf("%s has a variable twice", name)
		}
	}
	want := map[string]string{
		"usher-api": "info false 1000000", "usher-worker-sms": "warn true ", "usher-worker-email": "warn true ", "usher-worker-events": "warn true ",
	}
	if !maps.Equal(got, want) {
		t.Errorf("level of logs, profiles and connections %v, want %v", got, want)
	}
}

// Each file that a setting names is in a folder that is mounted, or in the image.
func TestFiles_that_settings_name_are_mounted(t *testing.T) {
	t.Parallel()
	named := 0
	for _, file := range examples(t) {
		m := render(t, file)
		for name, spec := range m.podSpecs() {
			for variable, value := range environ(spec) {
				if !strings.HasPrefix(value, "/") || name == "usher-migrate" {
					continue
				}
				named++
				if !slices.ContainsFunc(spec.Containers[0].VolumeMounts, func(m core.VolumeMount) bool {
					return m.ReadOnly && (value == m.MountPath || strings.HasPrefix(value, m.MountPath+"/"))
				}) {
					t.Errorf("%s: %s: %s names %s, which is not mounted", file, name, variable, value)
				}
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d settings name files", named)
	}
}

func TestFiles_may_lie_in_folders(t *testing.T) {
	t.Parallel()
	m := render(t, "examples/full.yaml", "files: {keys: {path: /etc/usher/keys, secret: usher-keys, items: {a: b/c}}}")
	spec := m.podSpecs()["usher-api"]
	want := map[string]string{"files-brand": "usher-brand brand.json=brand.json code.zh.txt=mail/code.zh.txt", "files-keys": "usher-keys a=b/c"}
	got := map[string]string{}
	for _, volume := range spec.Volumes {
		items, name := []core.KeyToPath(nil), ""
		switch {
		case volume.ConfigMap != nil:
			items, name = volume.ConfigMap.Items, volume.ConfigMap.Name
		case volume.Secret != nil:
			items, name = volume.Secret.Items, volume.Secret.SecretName
		default:
			continue
		}
		for _, item := range items {
			name += " " + item.Key + "=" + item.Path
		}
		got[volume.Name] = name
	}
	if !maps.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}
