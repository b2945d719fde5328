package salesforcetest

import (
	"net/http"
	"strconv"
	"strings"
)

const oldestVersion = 50

func (s *Server) newest() int {
	n, _ := strconv.Atoi(strings.TrimSuffix(s.Version, ".0"))
	return n
}

// versions is GET /services/data, which needs no token.
func (s *Server) versions() []members {
	var list []members
	seasons := []string{"Winter", "Spring", "Summer"}
	for n := oldestVersion; n <= s.newest(); n++ {
		// 50.0 was Winter '21; three a year.
		label := seasons[(n-50)%3] + " '" + strconv.Itoa(21+(n-50)/3)
		version := strconv.Itoa(n) + ".0"
		list = append(list, members{{"label", label}, {"url", "/services/data/v" + version}, {"version", version}})
	}
	return list
}

// dispatch carries out a call. The caller holds the data.
func (s *Server) dispatch(c *call) *answer {
	base := "/services/data/v" + c.version
	switch c.path[0] {
	case "":
		return s.resources(c, base)
	case "sobjects":
		return s.sobjects(c)
	case "query", "queryAll":
		return s.serveQuery(c)
	case "composite":
		return s.composite(c)
	case "limits":
		return s.limits(c)
	case "jobs":
		return s.bulk(c)
	case "actions":
		return s.serveActions(c)
	case "search", "parameterizedSearch":
		return s.search(c)
	case "recent":
		return ok([]members{})
	}
	return failure(notFound())
}

func (s *Server) resources(c *call, base string) *answer {
	if c.method != http.MethodGet && c.method != http.MethodHead {
		return failure(methodNotAllowed(c.method, "GET", "HEAD"))
	}
	m := members{}
	for _, name := range []string{"actions", "composite", "jobs", "limits", "parameterizedSearch", "query", "queryAll", "recent", "search", "sobjects"} {
		m = append(m, member{name, base + "/" + name})
	}
	m = append(m, member{"identity", s.URL + "/id/" + s.OrgID + "/" + s.db.user})
	return ok(m)
}

// limits is GET /limits.
func (s *Server) limits(c *call) *answer {
	if c.method != http.MethodGet {
		return failure(methodNotAllowed(c.method, "GET", "HEAD"))
	}
	s.mu.Lock()
	used, limit := s.used, s.config.DailyRequests
	s.mu.Unlock()
	entry := func(limit, left int) members { return members{{"Max", limit}, {"Remaining", left}} }
	return ok(members{
		{"DailyApiRequests", entry(limit, max(0, limit-used))},
		{"DailyBulkApiBatches", entry(15000, 15000)}, {"DailyBulkV2QueryJobs", entry(10000, 10000-s.jobSeq)}, {"DailyBulkV2QueryFileStorageMB", entry(976562, 976562)},
		{"DataStorageMB", entry(5, 5)}, {"FileStorageMB", entry(20, 20)}, {"SingleEmail", entry(15, 15)}, {"MassEmail", entry(10, 10)},
		{"HourlyTimeBasedWorkflow", entry(50, 50)}, {"DailyAsyncApexExecutions", entry(250000, 250000)}, {"ConcurrentAsyncGetReportInstances", entry(200, 200)},
	})
}
