package rpc

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Version is a server's version.
type Version struct {
	Major, Minor int
	Series       string // "17.0", "saas~17.4"
	Full         string // as the server writes it: "18.0-20250702"
}

// String returns the series.
func (v Version) String() string { return v.Series }

// oldest is the first major version that is understood.
const oldest = 13

// versionInfo is what the servers answer, under names that differ by the
// question: version_info and common.version speak of server_version, GET
// /web/version of version.
type versionInfo struct {
	ServerVersion     string            `json:"server_version"`
	ServerVersionInfo []json.RawMessage `json:"server_version_info"`
	ServerSerie       string            `json:"server_serie"`
	Version           string            `json:"version"`
	VersionInfo       []json.RawMessage `json:"version_info"`
}

func parseVersion(b []byte) (Version, error) {
	var info versionInfo
	if err := json.Unmarshal(b, &info); err != nil {
		return Version{}, notOdoo(err)
	}
	if info.ServerVersionInfo == nil {
		info.ServerVersion, info.ServerVersionInfo = info.Version, info.VersionInfo
	}
	if len(info.ServerVersionInfo) < 2 {
		return Version{}, notOdoo(fmt.Errorf("no version in %s", shorten(string(b), 200)))
	}
	// The major version of an intermediate release is a string: "saas~17".
	major := strings.TrimPrefix(strings.Trim(string(info.ServerVersionInfo[0]), `"`), "saas~")
	v := Version{Series: info.ServerSerie, Full: info.ServerVersion}
	var err1, err2 error
	v.Major, err1 = strconv.Atoi(major)
	v.Minor, err2 = strconv.Atoi(string(info.ServerVersionInfo[1]))
	if err1 != nil || err2 != nil {
		return Version{}, notOdoo(fmt.Errorf("unreadable version in %s", shorten(string(b), 200)))
	}
	if v.Series == "" {
		v.Series = fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	if v.Full == "" {
		v.Full = v.Series
	}
	if v.Major < oldest {
		return v, adapter.Errorf(adapter.Unsupported, "Odoo %s is too old: %d.0 is the first version that is supported", v.Series, oldest)
	}
	return v, nil
}

// notOdoo is the error for an answer that no Odoo gives.
func notOdoo(native error) error {
	return &adapter.Error{
		Code: adapter.Unavailable, Field: "url", Err: native,
		Message: "what answers there does not answer as Odoo does: check the system's URL",
	}
}
