package report

// Shown is a value as people see it.
func Shown(l *Locale, c *Column, v any) string {
	t := &Table{Locale: *l}
	return t.text(c, v)
}
