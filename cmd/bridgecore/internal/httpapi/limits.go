package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

// Limits say how many requests a minute may be made, and who counts them.
type Limits struct {
	Limiter limit.Limiter // nil: nothing is limited
	Rates   limit.Rates   // of every tenant, where it has none of its own
}

// limited takes one request of the class from the caller's bucket (by address
// before the caller is known) and says in the answer's header how many are
// left. It returns a *Problem when there was none.
func (a *API) limited(c *call, class limit.Class) error {
	if a.Limits.Limiter == nil {
		return nil
	}
	key := "a " + c.remote
	rates := a.Limits.Rates
	if c.identity != nil && class != limit.Auth {
		key = "u " + strconv.FormatInt(c.identity.UserID, 10)
		rates = rates.Over(c.identity.Limits)
	}
	perMinute := rates.Of(class)
	if perMinute <= 0 {
		return nil
	}
	r := a.Limits.Limiter.Take(c, key+" "+string(class), perMinute)
	h := c.Header()
	limit, remaining := strconv.Itoa(r.Limit), strconv.Itoa(r.Remaining)
	quoted := `"` + string(class) + `"`
	// The draft of the IETF, and what everybody had before it.
	for i, line := range [...]string{
		quoted + ";q=" + limit + ";w=60",
		quoted + ";r=" + remaining + ";t=" + strconv.Itoa(seconds(r.Reset)),
		limit, remaining, strconv.FormatInt(time.Now().Add(r.Reset).Unix(), 10),
	} {
		c.limits[i] = line
		h[limitHeaders[i]] = c.limits[i : i+1 : i+1]
	}
	if r.Allowed {
		return nil
	}
	p := newProblem(http.StatusTooManyRequests, "", fmt.Sprintf("more than %d requests a minute of the class %s; wait %d s", r.Limit, class, max(1, seconds(r.Retry))))
	p.retryAfter(r.Retry)
	return p
}

// limitHeaders are the headers that tell of limits, in the canonical form.
var limitHeaders = [...]string{"Ratelimit-Policy", "Ratelimit", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// classOf is the class of a call to a system by what it does.
func classOf(e bridge.Effect) limit.Class {
	switch e {
	case bridge.Reads:
		return limit.Read
	case bridge.Deletes:
		return limit.Delete
	case bridge.Writes:
	}
	return limit.Write
}

// crudClasses are the classes of the actions of /crud.
var crudClasses = map[string]limit.Class{"create": limit.Write, "update": limit.Write, "read": limit.Read, "delete": limit.Delete, "upsert": limit.Write}

// remoteOf is the address of the client: that at the other end of the
// connection or, if that is a proxy that is trusted, the one it tells. The
// addresses further left in X-Forwarded-For are whatever clients claim.
func remoteOf(r *http.Request, trusted []netip.Prefix) string {
	remote := remoteHost(r)
	if len(trusted) == 0 || !isTrusted(remote, trusted) {
		return remote
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break // a proxy that is trusted writes addresses
		}
		remote = addr.Unmap().String()
		if !isTrusted(remote, trusted) {
			break
		}
	}
	return remote
}

func isTrusted(address string, trusted []netip.Prefix) bool {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, p := range trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
