package export

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// The last day is in the period, and days are those of the zone.
func TestPeriods(t *testing.T) {
	riyadh, err := time.LoadLocation("Asia/Riyadh")
	require.NoError(t, err)
	for _, c := range []struct {
		kind adapter.FieldType
		zone *time.Location
		p    Period
		want string
	}{
		{adapter.Date, nil, Period{"2026-01-01", "2026-01-31"}, `["&", ["d", ">=", "2026-01-01"], ["d", "<", "2026-02-01"]]`},
		{adapter.DateTime, nil, Period{"", "2026-01-31"}, `[["d", "<", "2026-02-01 00:00:00"]]`},
		{adapter.DateTime, riyadh, Period{"2026-01-01", ""}, `[["d", ">=", "2025-12-31 21:00:00"]]`},
		{adapter.Date, riyadh, Period{"2026-01-01", ""}, `[["d", ">=", "2026-01-01"]]`},
	} {
		got, err := c.p.filter("d", c.kind, c.zone)
		require.NoError(t, err)
		want, err := adapter.ParseDomainJSON([]byte(c.want))
		require.NoError(t, err)
		assert.Equal(t, adapter.FormatDomain(want), adapter.FormatDomain(got))
	}
	for field, p := range map[string]Period{"start_date": {"2026-1-1", ""}, "end_date": {"2026-02-01", "2026-01-31"}} {
		_, err := p.filter("d", adapter.Date, nil)
		var wrong *adapter.Error
		require.ErrorAs(t, err, &wrong)
		assert.Equal(t, field, wrong.Field)
	}
}
