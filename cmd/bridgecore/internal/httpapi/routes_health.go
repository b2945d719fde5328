package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type health struct {
	Status      string    `json:"status" doc:"Always healthy: the process answers" example:"healthy"`
	Timestamp   time.Time `json:"timestamp" doc:"The server's clock, in UTC"`
	Service     string    `json:"service" example:"BridgeCore API"`
	Environment string    `json:"environment" enum:"development,staging,production"`
}

type liveness struct {
	Status string `json:"status" example:"alive"`
}

type ready struct {
	Status string            `json:"status" enum:"ready,not_ready"`
	Checks map[string]string `json:"checks" doc:"Each thing that the server needs: ok or what is wrong"`
}

type readyOutput struct {
	Status int
	Body   ready
}

func (a *API) registerHealth() {
	register(a, route{
		id: "getHealth", method: http.MethodGet, path: "/health", tag: "Health", open: true, class: none,
		summary: "The service", description: "Who answers here.",
	}, func(context.Context, *struct{}) (*body[health], error) {
		return &body[health]{health{"healthy", time.Now().UTC().Truncate(time.Millisecond), a.Name, a.Environment}}, nil
	})

	register(a, route{
		id: "getLiveness", method: http.MethodGet, path: "/livez", tag: "Health", open: true, class: none,
		summary: "Is the process alive", description: "Asks nothing else. Restart the process if this does not answer.",
	}, func(context.Context, *struct{}) (*body[liveness], error) {
		return &body[liveness]{liveness{"alive"}}, nil
	})

	register(a, route{
		id: "getReadiness", method: http.MethodGet, path: "/readyz", tag: "Health", open: true, class: none,
		summary: "Can it take requests", description: "Asks the database, and the cache's server if there is one, without which it goes on. 503 while it does not answer, and while the server is shutting down: send no requests then.",
		errors: []int{http.StatusServiceUnavailable},
	}, func(ctx context.Context, _ *struct{}) (*readyOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		out := &readyOutput{http.StatusOK, ready{"ready", map[string]string{"database": "ok", "server": "ok"}}}
		if err := a.Store.Ping(ctx); err != nil {
			callFrom(ctx).err = err
			out.Body.Checks["database"] = "does not answer"
			out.Status, out.Body.Status = http.StatusServiceUnavailable, "not_ready"
		}
		if a.CheckCache != nil {
			out.Body.Checks["cache"] = "ok"
			if err := a.CheckCache(ctx); err != nil {
				// Everything works without it, slower.
				out.Body.Checks["cache"] = "does not answer; every read asks the systems"
			}
		}
		if a.draining.Load() {
			out.Body.Checks["server"] = "is shutting down"
			out.Status, out.Body.Status = http.StatusServiceUnavailable, "not_ready"
		}
		return out, nil
	})
	// It answers in its own form that it is not ready.
	api := a.huma.OpenAPI()
	api.Paths["/readyz"].Get.Responses["503"] = &huma.Response{Description: "Not now", Content: map[string]*huma.MediaType{
		jsonType[0]: {Schema: api.Components.Schemas.Schema(reflect.TypeFor[ready](), true, "Ready"), Examples: map[string]*huma.Example{
			"shutting_down": {Summary: "the server is going away", Value: ready{"not_ready", map[string]string{"database": "ok", "server": "is shutting down"}}},
		}},
	}}
}
