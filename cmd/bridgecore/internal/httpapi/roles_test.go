package httpapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// What each role is refused, written down apart from the routes: who takes a role
// off a route by mistake has to take it off here too.
var (
	adminsAlone = []string{
		"registerSystem", "replaceSystem", "changeSystem", "deleteSystem", "clearCache", "saveMapping", "deleteMapping", "listAuditEntries",
		"listUsers", "addUser", "getUser", "changeUser", "removeUser", "resetPassword", "userSessions", "endUserSessions", "endUserSession",
		"getTenant", "changeTenant", "tenantStats", "tenantHealth",
	}
	operatorsAlone = []string{"listTenants", "addTenant", "removeTenant"}
)

func TestPlainUsersAreRefusedWhatIsForAdmins(t *testing.T) {
	e := newEnv(t)
	e.people()
	e.register("admin", "odoo_main", odootest.New(t, "17.0"))
	refused := func(user string) []string {
		var ids []string
		for _, d := range e.allOperations() {
			if !d.secured || !d.admin {
				continue
			}
			path, body := d.request(t, map[string]any{"system_id": "odoo_main"})
			if e.send(user, d.method, path, body).status == 403 {
				ids = append(ids, d.id)
			}
		}
		return ids
	}
	all := append(append([]string{}, adminsAlone...), operatorsAlone...)
	assert.ElementsMatch(t, all, refused("clerk"))
	assert.ElementsMatch(t, all, refused("guest"))
}
