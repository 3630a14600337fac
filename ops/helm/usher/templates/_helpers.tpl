{{/* The name of the installation: the release's, after which the chart's is not said again. */}}
{{- define "usher.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{/* Labels that choose pods. They never change: a Deployment's selector is immutable. Input: root, component. */}}
{{- define "usher.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "usher.labels" -}}
{{ include "usher.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: usher
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Input: root, image (api, worker or admin). */}}
{{- define "usher.image" -}}
{{ .root.Values.image.registry }}{{ get .root.Values.image .image }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Several maps in one, the later over the earlier; merge would lose values such as false. Output: YAML. Input: a list. */}}
{{- define "usher.over" -}}
{{- $all := dict }}
{{- range . }}
{{- range $key, $value := . }}
{{- $_ := set $all $key $value }}
{{- end }}
{{- end }}
{{- toYaml $all }}
{{- end }}

{{/* Settings as variables: those of all processes, over them the component's own, and the paths of secrets.
Input: root, settings, secrets (a list of name and keys). */}}
{{- define "usher.env" -}}
{{- $settings := include "usher.over" (list .root.Values.settings .settings) | fromYaml }}
{{- range $name, $value := $settings }}
{{- /* As JSON a number stays 1000000, which is 1e+06 otherwise. */}}
- {name: {{ $name }}, value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}}
{{- end }}
{{- range .secrets }}
{{- range .keys }}
- {name: {{ . }}_FILE, value: /run/secrets/usher/{{ . }}}
{{- end }}
{{- end }}
{{- end }}

{{/* One volume with all secrets of a pod, and one for each folder of files. Input: secrets, files. */}}
{{- define "usher.volumes" -}}
- name: secrets
  projected:
    # Readable for the group of the pod alone.
    defaultMode: 0440
    sources:
    {{- range .secrets }}
    {{- if .keys }}
    - secret:
        name: {{ .name }}
        items:
        {{- range .keys }}
        - {key: {{ . }}, path: {{ . }}}
        {{- end }}
    {{- end }}
    {{- end }}
{{- range $name, $file := .files }}
- name: files-{{ $name }}
  {{- if $file.secret }}
  secret:
    secretName: {{ $file.secret }}
    defaultMode: 0440
  {{- else }}
  configMap:
    name: {{ $file.configMap }}
  {{- end }}
  {{- with $file.items }}
    items:
    {{- range $key, $path := . }}
    - {key: {{ $key }}, path: {{ $path }}}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "usher.mounts" -}}
- {name: secrets, mountPath: /run/secrets/usher, readOnly: true}
{{- range $name, $file := .files }}
- {name: files-{{ $name }}, mountPath: {{ $file.path }}, readOnly: true}
{{- end }}
{{- end }}

{{/* The user of the images, and the restricted Pod Security Standard. */}}
{{- define "usher.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "usher.containerSecurity" -}}
runAsNonRoot: true
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What every pod has. */}}
{{- define "usher.podCommon" -}}
automountServiceAccountToken: false
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "usher.podSecurity" . | nindent 2 }}
{{- end }}

{{/* A Deployment. Input: root, component, image, values, args, opsPort, preStop, scaled. */}}
{{- define "usher.deployment" -}}
{{- $root := .root }}
{{- $secrets := list $root.Values.secrets .values.secrets }}
{{- $files := include "usher.over" (list $root.Values.files .values.files) | fromYaml }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "usher.name" $root }}-{{ .component }}
  labels: {{- include "usher.labels" . | nindent 4 }}
spec:
  {{- if not .scaled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  selector:
    matchLabels: {{- include "usher.selector" . | nindent 6 }}
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels:
        {{- include "usher.labels" . | nindent 8 }}
        usher/job: {{ .image }}
      {{- with $root.Values.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "usher.podCommon" $root | nindent 6 }}
      terminationGracePeriodSeconds: {{ add .preStop $root.Values.shutdownGraceSeconds 5 }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "usher.selector" . | nindent 14 }}
      containers:
        - name: {{ .image }}
          image: {{ include "usher.image" . }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          {{- with .args }}
          args: {{- toYaml . | nindent 12 }}
          {{- end }}
          env:
            - {name: USHER_OPS_ADDR, value: ":{{ .opsPort }}"}
            - {name: USHER_SHUTDOWN_GRACE, value: {{ $root.Values.shutdownGraceSeconds }}s}
            {{- include "usher.env" (dict "root" $root "settings" .values.settings "secrets" $secrets) | nindent 12 }}
          ports:
            {{- if eq .image "api" }}
            - {name: http, containerPort: 8080}
            {{- end }}
            - {name: ops, containerPort: {{ .opsPort }}}
          # It asks /readyz with the token, which Kubernetes does not have.
          readinessProbe:
            exec: {command: [/{{ .image }}, -health]}
            periodSeconds: 5
            timeoutSeconds: 5
          # Never /readyz: it fails while a store is down, and no restart mends that.
          livenessProbe:
            httpGet: {path: /healthz, port: ops}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          startupProbe:
            httpGet: {path: /healthz, port: ops}
            periodSeconds: 2
            failureThreshold: 30
          {{- if .preStop }}
          lifecycle:
            preStop: {sleep: {seconds: {{ .preStop }}}}
          {{- end }}
          resources: {{- toYaml .values.resources | nindent 12 }}
          securityContext: {{- include "usher.containerSecurity" $root | nindent 12 }}
          volumeMounts: {{- include "usher.mounts" (dict "files" $files) | nindent 12 }}
      volumes: {{- include "usher.volumes" (dict "secrets" $secrets "files" $files) | nindent 8 }}
{{- end }}

{{/* The spec of a pod that runs admin with the settings and secrets of all processes. Input: root, args. */}}
{{- define "usher.adminPod" -}}
{{- $root := .root }}
{{- $secrets := list $root.Values.secrets $root.Values.api.secrets }}
{{- $settings := list $root.Values.api.settings }}
{{- $files := list $root.Values.files $root.Values.api.files }}
{{- range $root.Values.workers }}
{{- $secrets = append $secrets .secrets }}
{{- $settings = append $settings .settings }}
{{- $files = append $files .files }}
{{- end }}
{{- $settings = include "usher.over" $settings | fromYaml }}
{{- $files = include "usher.over" $files | fromYaml }}
{{- include "usher.podCommon" $root }}
restartPolicy: Never
containers:
  - name: admin
    image: {{ include "usher.image" (dict "root" $root "image" "admin") }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: {{- toYaml .args | nindent 6 }}
    # createsuperuser asks for a password.
    stdin: true
    tty: true
    env: {{- include "usher.env" (dict "root" $root "settings" $settings "secrets" $secrets) | nindent 6 }}
    resources: {{- toYaml $root.Values.migrate.resources | nindent 6 }}
    securityContext: {{- include "usher.containerSecurity" $root | nindent 6 }}
    volumeMounts: {{- include "usher.mounts" (dict "files" $files) | nindent 6 }}
volumes: {{- include "usher.volumes" (dict "secrets" $secrets "files" $files) | nindent 2 }}
{{- end }}

{{/* A rule of egress. Input: ports and peers. */}}
{{- define "usher.egress" -}}
- ports:
  {{- range .ports }}
  - {port: {{ . }}, protocol: TCP}
  {{- end }}
  {{- with .peers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
