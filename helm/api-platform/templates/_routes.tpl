{{/* What an ingress host serves: under each of its paths the routes of the table, and /.well-known; longest first. */}}
{{- define "api-platform.routes" -}}
{{- $table := (.root.Files.Get "files/routes.yaml" | fromYaml).routes -}}
{{- $chosen := dict -}}
{{- range $path := append .paths "/.well-known" -}}
{{- $path = trimSuffix "/" $path -}}
{{- $served := false -}}
{{- range $table -}}
{{- if or (eq .prefix $path) (hasPrefix (printf "%s/" $path) .prefix) -}}
{{- $_ := set $chosen .prefix .service -}}
{{- $served = true -}}
{{- end -}}
{{- end -}}
{{- range $table -}}
{{- if and (not (hasKey $chosen $path)) (hasPrefix (printf "%s/" .prefix) $path) -}}
{{- $_ := set $chosen $path .service -}}
{{- $served = true -}}
{{- end -}}
{{- end -}}
{{- if not $served }}{{ fail (printf "ingress.hosts: nothing is served under %s; the platform's own prefix is /v1" $path) }}{{ end -}}
{{- end -}}
{{- $keyed := list -}}
{{- range keys $chosen }}{{ $keyed = append $keyed (printf "%04d %s" (sub 9999 (len .)) .) }}{{ end -}}
{{- $routes := list -}}
{{- range sortAlpha $keyed -}}
{{- $prefix := (splitn " " 2 .)._1 -}}
{{- $routes = append $routes (dict "prefix" $prefix "service" (get $chosen $prefix)) -}}
{{- end -}}
{{- $routes | toJson -}}
{{- end }}
