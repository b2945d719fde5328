package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

type changesInput struct {
	SystemPath
	Model     string `query:"model" required:"true" minLength:"1" maxLength:"255" doc:"The model" example:"res.partner"`
	Since     string `query:"since" maxLength:"16384" doc:"next of the answer before; none begins"`
	Fields    string `query:"fields" maxLength:"8192" doc:"The fields, separated by commas; all that the user may read unless given" example:"name,email"`
	Limit     int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"At most this many changes"`
	Initial   bool   `query:"initial" doc:"Begin with every record there is. It counts where there is no since"`
	Universal bool   `query:"use_universal_schema" doc:"model and fields are universal ones, and so are the records"`
	Version   string `header:"X-Odoo-Version" doc:"The version of Odoo in whose words the request is, if that is not the system's own" example:"13.0"`
}

type changesOutput struct {
	Changes  []changeOutput    `json:"changes" nullable:"false" doc:"Oldest first"`
	Next     string            `json:"next" doc:"Send it as since to go on. Keep it together with what the changes say"`
	More     bool              `json:"more" doc:"Whether there is more already: go on at once"`
	Warnings []adapter.Warning `json:"warnings,omitempty" doc:"Fields that were replaced or left out; deletions_untold: the model is too large to tell what was deleted"`
}

type changeOutput struct {
	ID      adapter.ID     `json:"id" doc:"The record's id" example:"32"`
	Deleted bool           `json:"deleted" doc:"Whether it is gone"`
	Record  adapter.Record `json:"record,omitempty" doc:"The record as it is now; absent if it is gone"`
}

// changesAnswer is never kept by anybody: the same question has another answer
// soon.
type changesAnswer struct {
	Version      string `header:"X-Odoo-Version" doc:"The version in whose words the answer is, if that is not the system's own"`
	CacheControl string `header:"Cache-Control" doc:"no-store"`
	Body         changesOutput
}

func (a *API) registerChanges() {
	register(a, route{
		id: "followChanges", method: http.MethodGet, path: "/api/v1/systems/{system_id}/changes", tag: "Records", class: limit.Read,
		summary: "What changed since",
		description: "For apps that keep a copy and work offline: the records of a model that were created or changed since a cursor, as they are now, and the ids of those that were deleted. " +
			"Begin with `initial=true` and no `since`: all records come first, page by page, archived ones too. Then send `next` as `since`, at once while `more` is true, later otherwise. " +
			"A change may come twice; none is left out, unless its transaction took longer than 150 seconds on Odoo, ten minutes on SAP or two minutes on Salesforce, " +
			"or the system's clock was put back. " +
			"A cursor is good for one system, model and vocabulary; another is 422. One that is too old (after 15 days on Salesforce, or when nobody used it for 30 days) is 412: begin anew with `initial`. " +
			"A cursor is a few kilobytes at most. On SAP entity sets without a moment or a day of the last change, and views of Odoo, are 501. " +
			"Of models with more than 1,000,000 records deletions are not told on Odoo and SAP, which each answer says in `warnings`.",
		errors: []int{403, 404, 412, 422, 429, 501, 502, 503, 504},
	}, func(ctx context.Context, in *changesInput) (*changesAnswer, error) {
		callFrom(ctx).note.model = in.Model
		answer := http.Header{}
		sys, err := a.translated(ctx, in.SystemID)
		if err == nil && in.Universal {
			sys, err = Universal{UseUniversal: true}.of(sys, in.Version)
		} else if err == nil {
			sys, err = speaking(sys, in.Version, answer)
		}
		if err != nil {
			return nil, err
		}
		q := bridge.ChangesQuery{Model: in.Model, Cursor: in.Since, Limit: in.Limit, Initial: in.Initial}
		for name := range strings.SplitSeq(in.Fields, ",") {
			if name = strings.TrimSpace(name); name != "" {
				q.Fields = append(q.Fields, name)
			}
		}
		ctx, warnings := adapter.WithWarnings(ctx)
		page, err := sys.Changes(ctx, q)
		if e, ok := errors.AsType[*adapter.Error](err); ok && e.Field == "cursor" {
			named := *e
			named.Field = "since" // as it is called here
			err = &named
		}
		if err != nil {
			return nil, err
		}
		out := &changesAnswer{Version: answer.Get(versionHeader), CacheControl: "no-store", Body: changesOutput{
			Changes: make([]changeOutput, len(page.Changes)), Next: page.Next, More: page.More, Warnings: warnings.List(),
		}}
		for i, c := range page.Changes {
			out.Body.Changes[i] = changeOutput{c.ID, c.Deleted, c.Record}
		}
		return out, nil
	})
}
