package telemetry_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
)

const deploy = "../../../../deploy/"

// served are the names of all series that the server has once everything
// happened, and their labels.
func served(t *testing.T) map[string]string {
	t.Helper()
	m := telemetry.New(func() map[string]int { return map[string]int{"odoo": 1} })
	m.Request("GET", "/", 200, time.Millisecond)
	m.Lookup(t.Context(), bridge.LookupEvent{Operation: "read", Hit: true})
	m.Lookup(t.Context(), bridge.LookupEvent{Operation: "read"})
	m.Query("select", time.Millisecond)
	m.Upstream(t.Context(), bridge.UpstreamEvent{Kind: "odoo", Model: "m", Operation: "read"})
	m.Breaker(bridge.BreakerEvent{Tenant: "1", System: "s", To: breaker.Open})
	m.Migrated("odoo", "13.0", "14.0", 1, 0)
	m.Operations(func() (map[telemetry.OperationGroup]int64, error) {
		return map[telemetry.OperationGroup]int64{{Kind: "batch", State: "queued"}: 1}, nil
	})
	names := map[string]string{"up": ""}
	for line := range strings.SplitSeq(page(t, m), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		name, labels, _ := strings.Cut(strings.Fields(line)[0], "{")
		names[name] += labels
	}
	return names
}

var (
	selector = regexp.MustCompile(`([a-z_]+)\{([^}]*)\}`)
	grouping = regexp.MustCompile(`by \(([^)]*)\)`)
	metric   = regexp.MustCompile(`\b([a-z]+(?:_[a-z]+)+)\b`)
)

// holds holds a query against the series that there are.
func holds(t *testing.T, where, query string, names map[string]string) {
	t.Helper()
	known := map[string]bool{"histogram_quantile": true, "label_values": true}
	var used []string
	for _, m := range selector.FindAllStringSubmatch(query, -1) {
		used = append(used, m[1])
	}
	stripped := grouping.ReplaceAllString(selector.ReplaceAllString(query, " "), " ")
	stripped = regexp.MustCompile(`\$\w+`).ReplaceAllString(stripped, " ")
	for _, m := range metric.FindAllStringSubmatch(stripped, -1) {
		if !known[m[1]] {
			used = append(used, m[1])
		}
	}
	require.NotEmpty(t, used, "%s: %s", where, query)
	var all []string
	for _, name := range used {
		assert.Contains(t, names, name, "%s asks for a metric that there is not: %s", where, query)
		all = append(all, names[name])
	}
	labels := strings.Join(all, " ")
	for _, m := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			assert.Contains(t, labels, strings.TrimSpace(label)+"=", "%s groups by a label that there is not: %s", where, query)
		}
	}
	for _, m := range selector.FindAllStringSubmatch(query, -1) {
		for _, part := range regexp.MustCompile(`(\w+)(?:=~|!=|!~|=)`).FindAllStringSubmatch(m[2], -1) {
			if part[1] != "instance" && part[1] != "job" { // Prometheus adds them
				assert.Contains(t, names[m[1]], part[1]+"=", "%s selects by a label that there is not: %s", where, query)
			}
		}
	}
}

func TestEveryPanelAsksForMetricsThatThereAre(t *testing.T) {
	names := served(t)
	b, err := os.ReadFile(deploy + "grafana/dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	require.NoError(t, json.Unmarshal(b, &dashboard))
	titles := map[string]bool{}
	for _, p := range dashboard.Panels {
		titles[p.Title] = true
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			holds(t, p.Title, target.Expr, names)
			for _, m := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				assert.Contains(t, target.Expr, m[1], "the legend of %s names a label that its query drops", p.Title)
			}
		}
	}
	for _, documented := range []string{"Request rate", "Response time", "Error rate", "Cache hit ratio", "Active connections", "Circuit breaker states"} {
		assert.True(t, titles[documented], documented)
	}
}

func TestEveryAlertAsksForMetricsThatThereAre(t *testing.T) {
	names := served(t)
	b, err := os.ReadFile(deploy + "prometheus/alerts.yml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	require.NoError(t, yaml.Unmarshal(b, &file))
	require.NotEmpty(t, file.Groups)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			holds(t, r.Alert, r.Expr, names)
		}
	}
}
