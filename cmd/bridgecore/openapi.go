package main

import (
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
)

type openapiCommand struct {
	OpenAPI string `name:"version" help:"Version of OpenAPI: 3.1, or 3.0.3 for older tools." enum:"3.1,3.0.3" default:"3.1"`
	YAML    bool   `name:"yaml" help:"Print YAML in place of JSON."`
}

// Run prints the description that serve has at /openapi.json, without a server.
func (c openapiCommand) Run(w world) error {
	text, err := httpapi.Description(httpapi.Config{Version: version()}, c.OpenAPI, c.YAML)
	if err != nil {
		return err
	}
	_, err = w.stdout.Write(append(text, '\n'))
	return err
}
