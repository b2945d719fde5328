{{- define "bridgecore.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- define "bridgecore.selector" -}}
app.kubernetes.io/name: bridgecore
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{- define "bridgecore.labels" -}}
{{ include "bridgecore.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
