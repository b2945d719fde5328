package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/mapping"
)

// MappingPath are the path parameters of a mapping.
type MappingPath struct {
	SystemPath
	Model string `path:"model" maxLength:"64" doc:"The universal model" example:"contact"`
}

// The sources of mappings.
const (
	sourceStandard = "standard"
	sourceCustom   = "custom"
)

// MappingSummary says which mapping of a model a system has. It is exported
// because huma looks into exported embedded structs alone.
type MappingSummary struct {
	Model       string     `json:"model" doc:"The universal model" example:"contact"`
	Source      string     `json:"source" enum:"standard,custom" doc:"standard comes with the program; custom is your own, which is laid over it"`
	SystemModel string     `json:"system_model" doc:"The system's model" example:"res.partner"`
	Version     int64      `json:"version" doc:"Of your own mapping; 0 for a standard one" example:"2"`
	Note        string     `json:"note,omitempty" doc:"What was said at the last save"`
	UpdatedBy   string     `json:"updated_by,omitempty" doc:"Who saved it" example:"admin"`
	UpdatedAt   *time.Time `json:"updated_at,omitempty"`
}

type mappingList struct {
	SystemID   string           `json:"system_id" example:"odoo_main"`
	SystemType string           `json:"system_type" example:"odoo"`
	Mappings   []MappingSummary `json:"mappings" nullable:"false" doc:"By universal model"`
	Total      int              `json:"total"`
}

type mappingInput struct {
	MappingPath
	Version int64 `query:"version" minimum:"0" doc:"An earlier version of your own; the present one unless given"`
}

type mappingOutput struct {
	SystemID   string `json:"system_id" example:"odoo_main"`
	SystemType string `json:"system_type" example:"odoo"`
	MappingSummary
	Deleted bool   `json:"deleted,omitempty" doc:"With version: it was deleted with this version"`
	Mapping string `json:"mapping" doc:"As it is written, in YAML or JSON"`
}

type taggedMapping struct {
	ETag string `header:"ETag" doc:"Send it as If-Match to change this version and no other"`
	Body mappingOutput
}

type versionsInput struct {
	MappingPath
	Before int64 `query:"before" minimum:"0" doc:"Versions older than this one alone"`
	Limit  int64 `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"At most this many"`
}

type mappingVersion struct {
	Version   int64     `json:"version" example:"2"`
	Deleted   bool      `json:"deleted" doc:"Whether your own mapping was deleted with it"`
	Note      string    `json:"note,omitempty"`
	UpdatedBy string    `json:"updated_by" example:"admin"`
	UpdatedAt time.Time `json:"updated_at"`
}

type versionList struct {
	SystemID string           `json:"system_id" example:"odoo_main"`
	Model    string           `json:"model" example:"contact"`
	Versions []mappingVersion `json:"versions" nullable:"false" doc:"The newest first"`
}

type deleteMappingInput struct {
	MappingPath
	IfMatch string `header:"If-Match" maxLength:"64" doc:"The ETag of the version to delete; any unless given"`
}

type deletedMapping struct {
	Success bool   `json:"success"`
	Message string `json:"message" example:"Mapping deleted successfully"`
	Version int64  `json:"version" doc:"The version that says so; earlier ones can still be read" example:"3"`
}

type universalModels struct {
	Models   []mapping.Model  `json:"models" nullable:"false" doc:"The universal models with their fields"`
	Coverage mapping.Coverage `json:"coverage" doc:"Which system has which field, by the standard mappings"`
	Total    int              `json:"total"`
}

func (a *API) registerMappings() {
	const tag, path = "Mappings", "/api/v1/systems/{system_id}/mappings"

	register(a, route{
		id: "listUniversalModels", method: http.MethodGet, path: "/api/v1/mappings/models", tag: tag,
		summary: "List the universal models", description: "What can be asked of every system with `use_universal_schema`, and which system has what of it.",
	}, func(context.Context, *struct{}) (*body[universalModels], error) {
		set := a.Mappings.Standard()
		models := set.Models()
		return &body[universalModels]{universalModels{models, set.Coverage(), len(models)}}, nil
	})

	register(a, route{
		id: "listMappings", method: http.MethodGet, path: path, tag: tag,
		summary: "List a system's mappings", description: "The standard ones, and the tenant's own in their place.",
		errors: []int{404},
	}, a.listMappings)

	register(a, route{
		id: "getMapping", method: http.MethodGet, path: path + "/{model}", tag: tag,
		summary:     "Get a mapping",
		description: "The tenant's own, or the standard one where there is none: a good beginning for one's own.",
		errors:      []int{404, 422},
	}, a.getMapping)

	register(a, route{
		id: "listMappingVersions", method: http.MethodGet, path: path + "/{model}/versions", tag: tag,
		summary: "List the versions of a mapping", description: "Every save is a version, and a deletion is one too. `GET .../{model}?version=N` gives one whole.",
		errors: []int{404, 422},
	}, a.mappingVersions)

	register(a, route{
		id: "deleteMapping", method: http.MethodDelete, path: path + "/{model}", tag: tag, admin: true,
		summary: "Delete one's own mapping", description: "The standard one holds again.",
		errors: []int{404, 412, 422},
	}, a.deleteMapping)

	a.registerSaveMapping(path + "/{model}")
	a.registerPreview(path + "/{model}/preview")
}

// mapped returns the caller's system as it is stored.
func (a *API) mapped(ctx context.Context, id string) (store.System, error) {
	return a.stored(ctx, id)
}

func (a *API) listMappings(ctx context.Context, in *SystemPath) (*body[mappingList], error) {
	sys, err := a.mapped(ctx, in.SystemID)
	if err != nil {
		return nil, err
	}
	own, err := a.Store.Mappings(ctx, sys.TenantID, sys.ID)
	if err != nil {
		return nil, err
	}
	out := mappingList{SystemID: sys.SystemID, SystemType: sys.Kind, Mappings: []MappingSummary{}}
	for _, e := range a.Mappings.Overview(sys.Kind, sys.Version, own) {
		out.Mappings = append(out.Mappings, summaryOf(e.Model, e.SystemModel, e.Own))
	}
	out.Total = len(out.Mappings)
	return &body[mappingList]{out}, nil
}

// summaryOf describes a mapping; own is nil for a standard one.
func summaryOf(model, systemModel string, own *store.Mapping) MappingSummary {
	s := MappingSummary{Model: model, Source: sourceStandard, SystemModel: systemModel}
	if own != nil {
		at := own.CreatedAt.UTC().Truncate(time.Second)
		s.Source, s.Version, s.Note, s.UpdatedBy, s.UpdatedAt = sourceCustom, own.Version, own.Note, own.Author, &at
	}
	return s
}

func (a *API) getMapping(ctx context.Context, in *mappingInput) (*taggedMapping, error) {
	sys, err := a.mapped(ctx, in.SystemID)
	if err != nil {
		return nil, err
	}
	out := taggedMapping{Body: mappingOutput{SystemID: sys.SystemID, SystemType: sys.Kind}}
	var own store.Mapping
	if in.Version > 0 {
		own, err = a.Store.MappingVersion(ctx, sys.TenantID, sys.ID, in.Model, in.Version)
	} else {
		own, err = a.Store.Mapping(ctx, sys.TenantID, sys.ID, in.Model)
	}
	switch {
	case err == nil:
		out.Body.Mapping, out.Body.Deleted = own.Source, own.Deleted
		// A version that can no longer be used can still be read.
		beside, err := a.Store.Mappings(ctx, sys.TenantID, sys.ID)
		if err != nil {
			return nil, err
		}
		systemModel := a.Mappings.SystemModel(mappings.Draft{Kind: sys.Kind, Model: in.Model, Source: own.Source, Beside: beside}, sys.Version)
		out.Body.MappingSummary = summaryOf(in.Model, systemModel, &own)
	case in.Version == 0 && adapter.CodeOf(err) == adapter.NotFound:
		source, err := a.Mappings.StandardSource(sys.Kind, in.Model)
		if err != nil {
			return nil, err
		}
		out.Body.Mapping = source
		out.Body.MappingSummary = summaryOf(in.Model, a.Mappings.StandardModel(sys.Kind, sys.Version, in.Model), nil)
	default:
		return nil, err
	}
	out.ETag = etagOf(out.Body.Version)
	return &out, nil
}

func (a *API) mappingVersions(ctx context.Context, in *versionsInput) (*body[versionList], error) {
	sys, err := a.mapped(ctx, in.SystemID)
	if err != nil {
		return nil, err
	}
	list, err := a.Store.MappingVersions(ctx, sys.TenantID, sys.ID, in.Model, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && in.Before == 0 {
		// None of one's own is an answer where there is a standard one.
		if _, err := a.Mappings.StandardSource(sys.Kind, in.Model); err != nil {
			return nil, err
		}
	}
	out := versionList{SystemID: sys.SystemID, Model: in.Model, Versions: make([]mappingVersion, len(list))}
	for i, m := range list {
		out.Versions[i] = mappingVersion{m.Version, m.Deleted, m.Note, m.Author, m.CreatedAt.UTC().Truncate(time.Second)}
	}
	return &body[versionList]{out}, nil
}

func (a *API) deleteMapping(ctx context.Context, in *deleteMappingInput) (*body[deletedMapping], error) {
	sys, err := a.mapped(ctx, in.SystemID)
	if err != nil {
		return nil, err
	}
	after, err := versionAfter(in.IfMatch, "", nil)
	if err != nil {
		return nil, err
	}
	if after == 0 {
		return nil, adapter.Errorf(adapter.NotFound, "a standard mapping can't be deleted; there is none of one's own for %q", in.Model)
	}
	m := store.Mapping{TenantID: sys.TenantID, SystemRef: sys.ID, Model: in.Model, Deleted: true}
	if err := a.saveMapping(ctx, &sys, &m, after); err != nil {
		return nil, err
	}
	return &body[deletedMapping]{deletedMapping{true, "Mapping deleted successfully", m.Version}}, nil
}

// saveMapping stores a version in the caller's name, and sees to it that it is
// used from now on.
func (a *API) saveMapping(ctx context.Context, sys *store.System, m *store.Mapping, after int64) error {
	user, err := a.Store.User(ctx, callFrom(ctx).identity.UserID)
	if err != nil {
		return err
	}
	m.Author = user.Username
	if after == existing {
		current, err := a.Store.Mapping(ctx, m.TenantID, m.SystemRef, m.Model)
		if adapter.CodeOf(err) == adapter.NotFound {
			return adapter.Errorf(adapter.PreconditionFailed, "there is no mapping of one's own yet, or it was deleted")
		}
		if err != nil {
			return err
		}
		after = current.Version
	}
	if err := a.Store.SaveMapping(ctx, m, after); err != nil {
		return err
	}
	a.Bridge.Forget(systems.Tenant(sys.TenantID), sys.SystemID) //nolint:contextcheck // also if the client goes away now
	return nil
}

func etagOf(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// existing stands for whatever version there is, as long as there is one.
const existing int64 = -2

// versionAfter is the version that a save must follow, as the headers and the
// member version say.
func versionAfter(ifMatch, ifNoneMatch string, version *int64) (int64, error) {
	after := store.AnyVersion
	if version != nil {
		if after = *version; after < 0 {
			return 0, invalid("version", "must be 0 or more")
		}
	}
	if ifMatch = strings.TrimSpace(ifMatch); ifMatch == "*" && version == nil {
		after = existing
	} else if ifMatch != "" && ifMatch != "*" {
		n, err := strconv.ParseInt(strings.Trim(ifMatch, `"`), 10, 64)
		switch {
		case err != nil || n < 0 || len(ifMatch) < 3 || ifMatch[0] != '"':
			return 0, invalid("If-Match", `must be the ETag of an answer, such as "2", or *`)
		case version != nil && n != *version:
			return 0, invalid("version", "is not the one in If-Match; leave one of them out")
		}
		after = n
	}
	switch ifNoneMatch = strings.TrimSpace(ifNoneMatch); {
	case ifNoneMatch == "":
	case ifNoneMatch != "*":
		return 0, invalid("If-None-Match", "must be *: there must be no mapping of one's own yet")
	case after > 0 || after == existing:
		return 0, invalid("If-None-Match", "contradicts If-Match or version; leave one of them out")
	default:
		after = 0
	}
	return after, nil
}

// mappingProblem says what is wrong with a mapping: each mistake with its line
// and its field.
func mappingProblem(err error) error {
	r, ok := errors.AsType[*mappings.Refused](err)
	if !ok {
		return err
	}
	details := make([]ProblemDetail, len(r.Mistakes))
	for i, m := range r.Mistakes {
		details[i] = ProblemDetail{Field: "mapping", Message: m.String()}
		if m.Field != "" {
			details[i].Field += "." + m.Field
		}
	}
	return newProblem(http.StatusUnprocessableEntity, "", "mapping: "+r.Error(), details...)
}
