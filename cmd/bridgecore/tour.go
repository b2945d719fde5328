package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

// guide plays the tour: a program that knows nothing but the server's URL.
type guide struct {
	scene  *scene
	out    io.Writer
	words  *i18n.Words
	web    *http.Client
	token  string
	steps  int
	speaks string // the version of Odoo in whose words requests are, "" for the system's own

	record json.Number // the partner that was created
}

// tour shows the server's main job over HTTP. It fails at the first step that
// does not give what it must.
func (s *scene) tour(ctx context.Context, w world, out io.Writer) error {
	g := &guide{scene: s, out: out, words: w.words, web: &http.Client{Timeout: 30 * time.Second}}
	defer g.web.CloseIdleConnections()
	g.say("%s\n", g.words.T("demo_begins", "URL", s.URL))
	for _, step := range []struct {
		title string // the key of it
		play  func(context.Context) error
	}{
		{"demo_login", g.login},
		{"demo_register", g.register},
		{"demo_create", g.create},
		{"demo_read", g.read},
		{"demo_cached", g.cached},
		{"demo_update", g.update},
		{"demo_versions", g.versions},
		{"demo_pinned", g.pinned},
		{"demo_universal", g.universal},
		{"demo_refused", g.refused},
		{"demo_down", g.down},
		{"demo_recovery", g.recovery},
	} {
		g.steps++
		title := g.words.T(step.title)
		g.say("\n%d. %s\n", g.steps, title)
		if err := step.play(ctx); err != nil {
			g.say("   %s\n", g.words.T("demo_failed", "What", err))
			return fmt.Errorf("step %d, %q: %w", g.steps, title, err)
		}
	}
	g.say("\n%s\n", g.words.N("demo_done", g.steps))
	return nil
}

func (g *guide) say(format string, args ...any) { _, _ = fmt.Fprintf(g.out, format, args...) }

// reply is what the server answered.
type reply struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
	json   struct {
		AccessToken string          `json:"access_token"`
		SystemID    string          `json:"system_id"`
		Success     *bool           `json:"success"`
		Cached      *bool           `json:"cached"`
		Result      json.RawMessage `json:"result"`
		Detail      string          `json:"detail"`
		Version     string          `json:"version"`
		Warnings    []struct{ Message string }
		Error       struct{ Code string }
		Health      struct{ Healthy bool }
		Breaker     struct {
			State        string
			FailureCount int `json:"failure_count"`
		} `json:"circuit_breaker"`
	}
}

// ask sends a request, says it, and fails unless the answer has the status.
func (g *guide) ask(ctx context.Context, want int, method, path, body string) (*reply, error) {
	r, err := g.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	answer := shorten(hide(string(r.body)), 150)
	if r.json.Error.Code != "" {
		answer = r.json.Error.Code + ": " + shorten(r.json.Detail, 200)
	}
	if g.speaks != "" {
		g.say("   X-Odoo-Version: %s\n", g.speaks)
	}
	g.say("   %s %s %s\n     -> %d in %s  %s\n", method, path, shorten(hide(body), 100), r.status, r.took.Round(10*time.Microsecond), answer)
	if r.status != want {
		return nil, fmt.Errorf("%s %s answered %d, not %d: %s", method, path, r.status, want, r.body)
	}
	return r, nil
}

func (g *guide) send(ctx context.Context, method, path, body string) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, g.scene.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if g.token != "" {
		req.Header.Set("Authorization", "Bearer "+g.token)
	}
	if g.speaks != "" {
		req.Header.Set("X-Odoo-Version", g.speaks)
	}
	start := time.Now()
	res, err := g.web.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	r := &reply{status: res.StatusCode, header: res.Header}
	if r.body, err = io.ReadAll(io.LimitReader(res.Body, 1<<20)); err != nil {
		return nil, err
	}
	r.took = time.Since(start)
	return r, json.Unmarshal(r.body, &r.json)
}

func shorten(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}

// hide keeps passwords and tokens from the screen.
func hide(body string) string {
	var v map[string]any
	if json.Unmarshal([]byte(body), &v) != nil {
		return body
	}
	hidden := false
	for _, m := range []any{v, v["connection_config"]} {
		m, _ := m.(map[string]any)
		for _, name := range []string{"password", "access_token", "refresh_token"} {
			if _, there := m[name]; there {
				m[name], hidden = "...", true
			}
		}
	}
	if !hidden {
		return body
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return b.String()
}

const tourSystem = "my_odoo"

func crudPath(system string) string { return "/api/v1/systems/" + system + "/crud" }

func operationPath(system, operation string) string {
	return "/api/v1/systems/" + system + "/odoo/" + operation
}

func (g *guide) login(ctx context.Context) error {
	r, err := g.ask(ctx, 200, "POST", "/api/v1/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, demoUser, demoPassword))
	if err != nil {
		return err
	}
	if g.token = r.json.AccessToken; g.token == "" {
		return errors.New("no token")
	}
	return nil
}

func (g *guide) register(ctx context.Context) error {
	odoo := g.scene.odoos["odoo17"]
	body, err := json.Marshal(map[string]any{
		"system_id": tourSystem, "system_type": "odoo", "system_version": odoo.Version, "name": "Tour",
		"connection_config": map[string]string{"url": odoo.URL, "database": odoo.Database, "username": odoo.Username, "password": odoo.Password},
	})
	if err != nil {
		return err
	}
	if _, err := g.ask(ctx, 201, "POST", "/api/v1/systems", string(body)); err != nil {
		return err
	}
	r, err := g.ask(ctx, 200, "GET", "/api/v1/systems/"+tourSystem+"/status", "")
	if err != nil {
		return err
	}
	if !r.json.Health.Healthy || r.json.Version != "17.0" || r.json.Breaker.State != "closed" {
		return fmt.Errorf("the system is not in order: %s", r.body)
	}
	return nil
}

func (g *guide) create(ctx context.Context) error {
	r, err := g.ask(ctx, 200, "POST", crudPath(tourSystem),
		`{"action":"create","model":"res.partner","data":{"name":"Ahmed Al-Saudi","email":"ahmed@example.com","phone":"+966501234567"}}`)
	if err != nil {
		return err
	}
	var made struct {
		ID   json.Number
		Name string
	}
	if err := json.Unmarshal(r.json.Result, &made); err != nil || made.ID == "" || made.Name != "Ahmed Al-Saudi" {
		return fmt.Errorf("no record came back: %s", r.body)
	}
	g.record = made.ID
	return nil
}

func (g *guide) read(ctx context.Context) error {
	phone, err := g.phone(ctx)
	if err == nil && phone != "+966501234567" {
		err = fmt.Errorf("the phone is %q", phone)
	}
	return err
}

// phone reads the record that was created.
func (g *guide) phone(ctx context.Context) (string, error) {
	r, err := g.ask(ctx, 200, "POST", crudPath(tourSystem),
		`{"action":"read","model":"res.partner","domain":[["id","=",`+g.record.String()+`]],"fields":["name","email","phone"]}`)
	if err != nil {
		return "", err
	}
	var found []struct{ Phone string }
	if err := json.Unmarshal(r.json.Result, &found); err != nil || len(found) != 1 {
		return "", fmt.Errorf("not one record came back: %s", r.body)
	}
	return found[0].Phone, nil
}

const ordersWithPartner = `{"model":"sale.order","fields":["name","partner_id","partner_id.email","amount_total"],"limit":3}`

func (g *guide) cached(ctx context.Context) error {
	var took [2]time.Duration
	for i, want := range []bool{false, true} {
		r, err := g.ask(ctx, 200, "POST", operationPath("odoo19", "search_read"), ordersWithPartner)
		if err != nil {
			return err
		}
		if r.json.Cached == nil || *r.json.Cached != want {
			return fmt.Errorf("cached should be %t: %s", want, r.body)
		}
		took[i] = r.took
	}
	g.say("   %s\n", g.words.T("demo_times", "Odoo", took[0].Round(10*time.Microsecond), "Cache", took[1].Round(10*time.Microsecond)))
	return nil
}

func (g *guide) update(ctx context.Context) error {
	_, err := g.ask(ctx, 200, "POST", crudPath(tourSystem),
		`{"action":"update","model":"res.partner","record_id":`+g.record.String()+`,"data":{"phone":"+966509876543"}}`)
	if err != nil {
		return err
	}
	phone, err := g.phone(ctx)
	if err == nil && phone != "+966509876543" {
		err = fmt.Errorf("the phone is %q", phone)
	}
	return err
}

// versions asks for a field that was renamed in 14.0.
func (g *guide) versions(ctx context.Context) error {
	for _, system := range g.scene.Systems {
		if system.Kind != systems.Odoo {
			continue
		}
		r, err := g.ask(ctx, 200, "POST", operationPath(system.SystemID, "search_read"), `{"model":"account.move","fields":["name","move_type"],"limit":1}`)
		if err != nil {
			return err
		}
		var moves []map[string]any
		if err := json.Unmarshal(r.json.Result, &moves); err != nil || len(moves) != 1 || moves[0]["move_type"] == nil {
			return fmt.Errorf("no invoice with its move_type: %s", r.body)
		}
		if len(r.json.Warnings) > 0 {
			g.say("     %s says: %s\n", system.SystemID, r.json.Warnings[0].Message)
		}
	}
	return nil
}

// pinned asks 13.0 and 19.0 in the words of 13.0, of which 19.0 knows neither
// the fields nor the type of product.
func (g *guide) pinned(ctx context.Context) error {
	defer func() { g.speaks = "" }()
	g.speaks = "13.0"
	for _, system := range []string{"odoo13", "odoo19"} {
		r, err := g.ask(ctx, 200, "POST", operationPath(system, "search_read"),
			`{"model":"sale.order.line","domain":[["product_id.type","=","product"]],"fields":["product_uom","tax_id"],"limit":1,"fallback":"off"}`)
		if err != nil {
			return err
		}
		var lines []map[string]any
		if err := json.Unmarshal(r.json.Result, &lines); err != nil || len(lines) != 1 || lines[0]["product_uom"] == nil || lines[0]["tax_id"] == nil {
			return fmt.Errorf("no line in the words of 13.0: %s", r.body)
		}
	}
	g.speaks = "19.0"
	_, err := g.ask(ctx, 422, "POST", operationPath("odoo19", "search_read"), `{"model":"sale.order.line","domain":[["product_uom","!=",false]],"fallback":"off"}`)
	return err
}

// universal makes, finds and reads a contact with the same requests on a system
// of each kind.
func (g *guide) universal(ctx context.Context) error {
	const fields = `"fields":["name","phone","city","country"]`
	want := ""
	for _, system := range []string{"odoo19", "salesforce", "sap"} {
		_, err := g.ask(ctx, 200, "POST", crudPath(system),
			`{"action":"create","model":"contact","use_universal_schema":true,"data":{"name":"Tuwaiq Trading","is_company":true,"phone":"+966 11 123 4567","city":"Riyadh","country":"SA"}}`)
		if err != nil {
			return err
		}
		r, err := g.ask(ctx, 200, "POST", crudPath(system),
			`{"action":"read","model":"contact","use_universal_schema":true,"domain":[["name","=","Tuwaiq Trading"],["country","=","SA"]],`+fields+`}`)
		if err != nil {
			return err
		}
		var found []map[string]any
		if err := json.Unmarshal(r.json.Result, &found); err != nil || len(found) != 1 {
			return fmt.Errorf("not one contact came back: %s", r.body)
		}
		delete(found[0], "id")
		got := fmt.Sprint(found[0])
		if want == "" {
			want = got
		}
		if got != want {
			return fmt.Errorf("%s answers %s, and not %s", system, got, want)
		}
	}
	g.say("   %s\n", g.words.T("demo_one_answer"))
	return nil
}

func (g *guide) refused(ctx context.Context) error {
	if _, err := g.ask(ctx, 422, "POST", operationPath("odoo17", "search_read"), `{"model":"res.partner","fields":["name","fone"]}`); err != nil {
		return err
	}
	if _, err := g.ask(ctx, 422, "POST", operationPath("odoo17", "search"), `{"model":"res.partner","domain":["|",["name","=","x"]]}`); err != nil {
		return err
	}
	token := g.token
	g.token = "not-a-token"
	_, err := g.ask(ctx, 401, "GET", "/api/v1/systems", "")
	g.token = token
	return err
}

// down takes the simulated 13.0 away.
func (g *guide) down(ctx context.Context) error {
	g.scene.odoos["odoo13"].Down()
	const most = 10
	for i := range most {
		// Another question each time, so that none is answered from the cache.
		r, err := g.ask(ctx, 503, "POST", operationPath("odoo13", "search_count"), `{"model":"res.partner","domain":[["id",">",`+strconv.Itoa(i)+`]]}`)
		if err != nil {
			return err
		}
		state, err := g.state(ctx)
		if err != nil {
			return err
		}
		if state == "open" {
			break
		}
		if r.json.Error.Code != "unavailable" || i == most-1 {
			return fmt.Errorf("the breaker is %s after %d requests", state, i+1)
		}
	}
	g.say("   %s\n", g.words.T("demo_open"))
	r, err := g.ask(ctx, 503, "POST", operationPath("odoo13", "search_count"), `{"model":"res.partner"}`)
	if err != nil {
		return err
	}
	if r.header.Get("Retry-After") == "" {
		return errors.New("no Retry-After")
	}
	g.say("     Retry-After: %s s\n   %s\n", r.header.Get("Retry-After"), g.words.T("demo_others"))
	_, err = g.ask(ctx, 200, "POST", operationPath("odoo19", "search_count"), `{"model":"res.partner"}`)
	return err
}

// state is that of odoo13's breaker.
func (g *guide) state(ctx context.Context) (string, error) {
	r, err := g.send(ctx, "GET", "/api/v1/systems/odoo13/status", "")
	if err != nil {
		return "", err
	}
	return r.json.Breaker.State, nil
}

func (g *guide) recovery(ctx context.Context) error {
	if err := g.scene.odoos["odoo13"].Up(); err != nil { //nolint:contextcheck // the server outlives the step
		return err
	}
	g.say("   %s\n", g.words.T("demo_waits", "Time", demoRecovery))
	select {
	case <-time.After(demoRecovery + 100*time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, err := g.ask(ctx, 200, "POST", operationPath("odoo13", "search_count"), `{"model":"res.partner","domain":[["is_company","=",true]]}`); err != nil {
		return err
	}
	state, err := g.state(ctx)
	if err == nil && state != "closed" {
		err = fmt.Errorf("the breaker is %s", state)
	}
	if err == nil {
		g.say("   %s\n", g.words.T("demo_closed"))
	}
	return err
}
