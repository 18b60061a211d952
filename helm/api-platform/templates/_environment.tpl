{{/* The keys of the secret, the setting each is for, and who needs it (none: every service). */}}
{{- define "api-platform.secretKeys" -}}
- {key: database-url, name: DATABASE_URL, required: true}
- {key: master-key, name: EAP_MASTER_KEY, required: true}
- {key: redis-url, name: REDIS_URL}
- {key: elasticsearch-url, name: ELASTICSEARCH_URL}
- {key: smtp-url, name: EAP_SMTP_URL, only: auth}
- {key: smoke-key, name: EAP_SMOKE_KEY}
{{- end }}

{{/* The keys that a service reads from files: not those that an `env` entry gives. */}}
{{- define "api-platform.secretFiles" -}}
{{- $given := list -}}
{{- range .root.Values.env }}{{ $given = append $given .name }}{{ end -}}
{{- $files := list -}}
{{- range include "api-platform.secretKeys" . | fromYamlArray -}}
{{- $wanted := or (not .only) (eq .only $.service) -}}
{{- if and $wanted (not (has .name $given)) (not (has (printf "%s_FILE" .name) $given)) -}}
{{- $files = append $files . -}}
{{- end -}}
{{- end -}}
{{- $files | toJson -}}
{{- end }}

{{/* Where the world reaches the platform: an `env` entry, `publicUrl`, or the first host of the ingress. */}}
{{- define "api-platform.publicUrl" -}}
{{- $url := .Values.publicUrl -}}
{{- if and (not $url) .Values.ingress.enabled .Values.ingress.hosts -}}
{{- $host := (first .Values.ingress.hosts).host -}}
{{- $covered := list -}}
{{- range .Values.ingress.tls }}{{ $covered = concat $covered (.hosts | default list) }}{{ end -}}
{{- $url = printf "%s://%s" (ternary "https" "http" (has $host $covered)) $host -}}
{{- end -}}
{{- range .Values.env }}{{ if and (eq .name "EAP_PUBLIC_URL") .value }}{{ $url = .value }}{{ end }}{{ end -}}
{{- if not $url }}{{ fail "where does the world reach the platform? Set publicUrl, or ingress.enabled and ingress.hosts" }}{{ end -}}
{{- $url -}}
{{- end }}

{{- define "api-platform.pool" -}}
{{- $pool := .Values.database.pool -}}
{{- range .Values.env }}{{ if eq .name "EAP_DATABASE_POOL" }}{{ $pool = .value }}{{ end }}{{ end -}}
{{- int $pool -}}
{{- end }}

{{/* The environment of a service's container: what the chart sets, but for what `env` gives, and `env`. */}}
{{- define "api-platform.environment" -}}
{{- $given := list -}}
{{- range .root.Values.env }}{{ $given = append $given .name }}{{ end -}}
{{- $url := include "api-platform.publicUrl" .root -}}
{{- $own := list (dict "name" "EAP_PUBLIC_URL" "value" $url) -}}
{{- $own = append $own (dict "name" "EAP_DATABASE_POOL" "value" (include "api-platform.pool" .root)) -}}
{{- $own = append $own (dict "name" "EAP_TRUSTED_PROXIES" "value" (join "," .root.Values.trustedProxies)) -}}
{{- if eq .service "auth" -}}
{{- $from := .root.Values.mail.from | default (printf "no-reply@%s" (urlParse $url).hostname) -}}
{{- $own = append $own (dict "name" "EAP_MAIL_FROM" "value" $from) -}}
{{- end -}}
{{- if .root.Values.trustedRoots.secretName -}}
{{- $own = append $own (dict "name" "SSL_CERT_FILE" "value" "/etc/ssl/certs/ca-certificates.crt") -}}
{{- $own = append $own (dict "name" "SSL_CERT_DIR" "value" "/etc/api-platform/roots") -}}
{{- end -}}
{{- range include "api-platform.secretFiles" . | fromJsonArray -}}
{{- $own = append $own (dict "name" (printf "%s_FILE" .name) "value" (printf "/etc/api-platform/secrets/%s" .key)) -}}
{{- end -}}
{{- $all := list -}}
{{- range $own }}{{ if not (has .name $given) }}{{ $all = append $all . }}{{ end }}{{ end -}}
{{- concat $all .root.Values.env | toYaml -}}
{{- end }}
