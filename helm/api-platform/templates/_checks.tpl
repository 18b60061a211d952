{{/* What the schema cannot say, said before anything is changed. */}}
{{- define "api-platform.checks" -}}
{{- include "api-platform.checkConnections" . -}}
{{- $needed := add .Values.shutdown.preStopSeconds 25 -}}
{{- if lt (int .Values.shutdown.gracePeriodSeconds) (int $needed) -}}
{{- fail (printf "shutdown.gracePeriodSeconds is %v: preStopSeconds and the 25 seconds of ending need %v" .Values.shutdown.gracePeriodSeconds $needed) -}}
{{- end -}}
{{- if and .Values.migration.enabled (not .Values.migration.secretName) -}}
{{- fail "migration.secretName is empty: the Job needs a secret with the owner's database-url, which services must not have" -}}
{{- end -}}
{{- end }}

{{/* Pods that find no free connection fail one by one under load: refused here, where it is seen. */}}
{{- define "api-platform.checkConnections" -}}
{{- $budget := int .Values.database.maxConnections -}}
{{- $each := add 1 (include "api-platform.pool" . | int) -}}
{{- $pods := 0 -}}
{{- range $service := keys .Values.services -}}
{{- $values := include "api-platform.valuesOf" (dict "root" $ "service" $service) | fromJson -}}
{{- $autoscaling := $values.autoscaling -}}
{{- if and $autoscaling.enabled (gt (int $autoscaling.minReplicas) (int $autoscaling.maxReplicas)) -}}
{{- fail (printf "%s-service: autoscaling.minReplicas %v is more than maxReplicas %v" $service $autoscaling.minReplicas $autoscaling.maxReplicas) -}}
{{- end -}}
{{- $pods = add $pods (int (ternary $autoscaling.maxReplicas $values.replicaCount $autoscaling.enabled)) -}}
{{- end -}}
{{- $needed := mul $pods $each -}}
{{- if and $budget (gt (int $needed) $budget) -}}
{{- fail (printf "%d pods at most × %d connections are %d, but database.maxConnections is %d: lower autoscaling.maxReplicas or database.pool, or raise what PostgreSQL allows (0: do not check)" $pods $each $needed $budget) -}}
{{- end -}}
{{- end }}
