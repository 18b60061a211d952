{{/* The services, sorted by name, as a list of auth, user, org. */}}
{{- define "api-platform.services" -}}
{{- keys .Values.services | sortAlpha | toJson -}}
{{- end }}

{{/* The labels by which a service's pods are found: they never change. Takes (dict "root" $ "service" "auth"). */}}
{{- define "api-platform.selector" -}}
app.kubernetes.io/name: {{ .service }}-service
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* The labels of a service's objects. */}}
{{- define "api-platform.labels" -}}
{{ include "api-platform.selector" . }}
app.kubernetes.io/component: {{ .service }}
{{ include "api-platform.origin" .root }}
{{- end }}

{{/* The labels of everything. */}}
{{- define "api-platform.origin" -}}
app.kubernetes.io/part-of: api-platform
app.kubernetes.io/version: {{ include "api-platform.tag" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The labels of what belongs to no single service. Takes (dict "root" $ "name" "api-platform-smoke"). */}}
{{- define "api-platform.sharedLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{ include "api-platform.origin" .root }}
{{- end }}

{{- define "api-platform.tag" -}}
{{- .Values.image.tag | default .Chart.AppVersion -}}
{{- end }}

{{/* An image by tag, and by digest where the values name one for this tag. */}}
{{- define "api-platform.image" -}}
{{- $tag := include "api-platform.tag" .root -}}
{{- $name := printf "%s-service" .service -}}
{{- $digest := dig $tag $name "" .root.Values.image.digests -}}
{{- printf "%s/%s:%s" .root.Values.image.repository $name $tag -}}
{{- if $digest }}@{{ $digest }}{{ end -}}
{{- end }}

{{/* The values of a service: what is true for all, with its own on top. */}}
{{- define "api-platform.valuesOf" -}}
{{- $all := pick .root.Values "replicaCount" "resources" "autoscaling" -}}
{{- mergeOverwrite (deepCopy $all) (deepCopy (get .root.Values.services .service | default dict)) | toJson -}}
{{- end }}
