{{/* Nobody's rights: Pod Security "restricted". */}}
{{- define "api-platform.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "api-platform.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* The secret as files. Keys that must be there keep a pod from starting, and from replacing another, until they are. */}}
{{- define "api-platform.secretVolume" -}}
{{- $files := include "api-platform.secretFiles" . | fromJsonArray -}}
{{- $sources := list -}}
{{- range $required := list true false -}}
{{- $items := list -}}
{{- range $files }}{{ if eq (default false .required) $required }}{{ $items = append $items (dict "key" .key "path" .key) }}{{ end }}{{ end -}}
{{- $secret := dict "name" $.root.Values.secrets.name "items" $items -}}
{{- if not $required }}{{ $_ := set $secret "optional" true }}{{ end -}}
{{- if $items }}{{ $sources = append $sources (dict "secret" $secret) }}{{ end -}}
{{- end -}}
name: secrets
{{- if $sources }}
projected:
  defaultMode: 0440
  sources: {{- toYaml $sources | nindent 4 }}
{{- else }}
emptyDir:
  sizeLimit: 1Mi
{{- end }}
{{- end }}

{{/* Over zones and nodes, counting only pods of the same version. */}}
{{- define "api-platform.spread" -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" -}}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: {{ $.root.Values.spread }}
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels: {{- include "api-platform.selector" $ | nindent 6 }}
{{ end -}}
{{- end }}

{{/* Kubernetes waits by itself since 1.30; before, the binary does, as the image has no shell. */}}
{{- define "api-platform.preStop" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}
sleep:
  seconds: {{ .Values.shutdown.preStopSeconds }}
{{- else -}}
exec:
  command: [/platform, prestop, {{ .Values.shutdown.preStopSeconds | toString | quote }}]
{{- end -}}
{{- end }}
