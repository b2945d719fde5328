package odootest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whatever is sent, the server answers, with a body of the type it says.
func FuzzRequests(f *testing.F) {
	servers := map[byte]*Server{}
	for _, version := range []string{"13.0", "16.0", "19.0"} {
		s, err := Start(Config{Version: version, Users: []User{{Login: "admin", APIKey: "key"}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(s.Close)
		servers[byte(len(servers))] = s
	}
	paths := []string{"/jsonrpc", "/xmlrpc/2/object", "/json/2/res.partner/search_read", "/xmlrpc/object", "/web/dataset/call_kw", "/nope"}
	f.Add(byte(0), byte(0), `{"params": {"service": "object", "method": "execute_kw", "args": ["odoo13", 2, "admin", "res.partner", "search_read", [[["name", "like", "a"]]], {"limit": 2}]}}`)
	f.Add(byte(1), byte(0), `{"params": {"service": "object", "method": "execute_kw", "args": ["odoo16", 2, "admin", "sale.order", "create", [{"partner_id": [1, "x"], "order_line": [[0, 0, {"product_id": 3}], 7, null, [6]]}]]}}`)
	f.Add(byte(2), byte(0), `{"params": {"service": "object", "method": "execute_kw", "args": ["odoo19", 2, "admin", "res.partner", "write", [[7], {"child_ids": {"a": 1}, "category_id": [[1], [0, 0, 5]]}]]}}`)
	f.Add(byte(2), byte(2), `{"domain": ["|", ["a.b.c", "in", 5]], "order": "id;x", "context": []}`)
	f.Add(byte(2), byte(2), `{"domain": [["create_date.year_number", "=", "x"], ["parent_id", "any", [["id", "=", {}]]]], "fields": ["name", 5]}`)
	f.Add(byte(1), byte(1), `<?xml version="1.0"?><methodCall><methodName>execute_kw</methodName><params><param><value>odoo16</value></param><param><value><int>2</int></value></param><param><value>admin</value></param><param><value>res.partner</value></param><param><value>read_group</value></param><param><value><array><data><value><array><data/></array></value><value><array><data><value>id</value></data></array></value><value><array><data><value>country_id</value></data></array></value></data></array></value></param></params></methodCall>`)
	f.Fuzz(func(t *testing.T, which, path byte, body string) {
		s := servers[which%byte(len(servers))]
		r := httptest.NewRequest(http.MethodPost, paths[int(path)%len(paths)], strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/xmlrpc") {
			r.Header.Set("Content-Type", "text/xml")
		}
		r.Header.Set("Authorization", "Bearer key")
		s.sessions["s"] = s.accounts[0]
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "s"})
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch kind := w.Header().Get("Content-Type"); {
		case strings.HasPrefix(kind, "application/json"):
			_, err := decodeJSON(w.Body.Bytes())
			assert.NoError(t, err)
		case strings.HasPrefix(kind, "text/xml"):
			if bytes.Contains(w.Body.Bytes(), []byte("\xef\xbf\xbd")) {
				return // encoding/xml is stricter about odd characters than Python
			}
			_, err := firstXMLValue(w.Body.Bytes())
			assert.NoError(t, err)
		}
	})
}
