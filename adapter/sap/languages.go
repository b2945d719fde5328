package sap

import (
	"context"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

var _ adapter.Linguist = (*Client)(nil)

// languages are those that SAP has texts in. It answers in its own language
// where one is not installed.
var languages = []string{
	"ar", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "he", "hi", "hr", "hu", "id", "it", "ja", "kk", "ko", "lt", "lv",
	"ms", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "th", "tr", "uk", "vi", "zh", "zh_TW",
}

// Languages implements [adapter.Linguist].
func (c *Client) Languages(context.Context) ([]string, error) { return slices.Clone(languages), nil }
