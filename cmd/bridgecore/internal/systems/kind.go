package systems

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// The kinds of systems.
const (
	Odoo       = "odoo"
	Salesforce = "salesforce"
	SAP        = "sap"
)

// kind is one row of what the server knows of a kind of system.
type kind struct {
	members []string // of its connection_config
	read    func(base Connection, members []byte) (Connection, error)
	// secret is the member to name where no secret is given, and secretWords
	// all that would do.
	secret, secretWords string

	version     *regexp.Regexp // what a system_version must look like
	versionLike string         // in words
	noVersion   bool           // it may be left out
}

var kinds = map[string]kind{
	Odoo: {
		members: []string{"url", "database", "username", "password", "api_key", "transport", "timeout", "max_connections"},
		read:    into[OdooConnection], secret: "password", secretWords: "the password or the api_key",
		version: regexp.MustCompile(`^1[3-9]\.0$`), versionLike: "one of 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0",
	},
	Salesforce: {
		members: []string{"url", "client_id", "client_secret", "private_key", "username", "audience", "refresh_token", "api_version", "timeout", "max_connections"},
		read:    into[SalesforceConnection], secret: "client_secret", secretWords: "the client_secret, the private_key or the refresh_token",
		version: regexp.MustCompile(`^[1-9][0-9]{1,2}\.0$`), versionLike: "a version of the REST API such as 62.0", noVersion: true,
	},
	SAP: {
		members: []string{
			"url", "username", "password", "token_url", "client_id", "client_secret", "scope", "bearer_token",
			"client", "language", "services", "timeout", "max_connections",
		},
		read: into[SAPConnection], secret: "password", secretWords: "the password, the client_secret or the bearer_token",
		version: regexp.MustCompile(`^[\w.\- /&]{1,64}$`), versionLike: "a release such as S/4HANA 2023", noVersion: true,
	},
}

// Kinds returns the kinds of systems that can be registered.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

func kindOf(name string) (kind, error) {
	k, known := kinds[name]
	if !known {
		return kind{}, &adapter.Error{
			Code: adapter.InvalidArgument, Field: "system_type",
			Message: "system_type must be one of " + strings.Join(Kinds(), ", "),
		}
	}
	read := k.read
	k.read = func(base Connection, members []byte) (Connection, error) {
		if err := k.known(name, members); err != nil {
			return nil, err
		}
		return read(base, members)
	}
	return k, nil
}

// known refuses members that a connection of the kind does not take.
func (k kind) known(name string, members []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(members, &all); err != nil {
		return &adapter.Error{Code: adapter.InvalidArgument, Field: "connection_config", Message: "connection_config must be an object"}
	}
	for _, member := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(k.members, member) {
			return wrong(member, "a connection to %s takes no such member; it takes %s", name, strings.Join(k.members, ", "))
		}
	}
	return nil
}

// CheckVersions checks what a system of the kind says of its version, and the
// version that its callers speak.
func CheckVersions(name, version, pinned string) error {
	k, err := kindOf(name)
	if err != nil {
		return err
	}
	refuse := func(field, message string) error {
		return &adapter.Error{Code: adapter.InvalidArgument, Field: field, Message: field + " " + message}
	}
	switch {
	case version == "" && !k.noVersion:
		return refuse("system_version", "is missing; it must be "+k.versionLike)
	case version != "" && !k.version.MatchString(version):
		return refuse("system_version", "must be "+k.versionLike)
	case pinned == "":
		return nil
	case Lenses()[name].Pack == nil:
		return refuse("pinned_version", "is for systems of type odoo; leave it out")
	case !k.version.MatchString(pinned):
		return refuse("pinned_version", "must be "+k.versionLike)
	}
	return nil
}
