package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/bridgecore/bridgecore/cache"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

type cacheFigures struct {
	SystemID string      `json:"system_id" example:"odoo_main"`
	Stats    cache.Stats `json:"cache_stats" doc:"Since this server process began"`
}

type clearInput struct {
	SystemPath
	Model string `query:"model" maxLength:"255" doc:"Clear what is kept of this model alone" example:"product.product"`
}

type cleared struct {
	SystemID    string `json:"system_id" example:"odoo_main"`
	Model       string `json:"model" doc:"Empty when the whole system was cleared" example:"product.product"`
	DeletedKeys int    `json:"deleted_keys" doc:"As well as it is known" example:"42"`
	Message     string `json:"message" example:"Cleared 42 cache entries"`
}

func (a *API) registerCache() {
	const tag, path = "Cache", "/api/v1/systems/{system_id}/cache"

	register(a, route{
		id: "getCacheStats", method: http.MethodGet, path: path + "/stats", tag: tag,
		summary: "Cache statistics", description: "How many answers of the system are kept, and how often one was found.",
		errors: []int{403, 404},
	}, func(ctx context.Context, in *SystemPath) (*body[cacheFigures], error) {
		sys, err := a.system(ctx, in.SystemID)
		if err != nil {
			return nil, err
		}
		return &body[cacheFigures]{cacheFigures{in.SystemID, sys.CacheStats(ctx)}}, nil
	})

	register(a, route{
		id: "clearCache", method: http.MethodDelete, path: path + "/clear", tag: tag, admin: true,
		summary: "Clear the cache", description: "Forgets the answers of the system, or of one of its models.",
		errors: []int{403, 404, 422},
	}, func(ctx context.Context, in *clearInput) (*body[cleared], error) {
		sys, err := a.system(ctx, in.SystemID)
		if err != nil {
			return nil, err
		}
		n := sys.ClearCache(ctx, in.Model)
		if a.Live != nil {
			a.Live.Invalidated(systems.Tenant(callFrom(ctx).identity.TenantID), in.SystemID, in.Model)
		}
		return &body[cleared]{cleared{in.SystemID, in.Model, n, fmt.Sprintf("Cleared %d cache entries", n)}}, nil
	})
}
