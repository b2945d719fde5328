package httpapi

// Routes are those of the router, as "GET /path/:param".
func (a *API) Routes() []string {
	var list []string
	for _, r := range a.echo.Router().Routes() {
		list = append(list, r.Method+" "+r.Path)
	}
	return list
}
