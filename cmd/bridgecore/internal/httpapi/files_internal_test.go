package httpapi

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter"
)

// Odoo 17.0 answers a damaged PNG with "ascii".
func TestADamagedPictureIsSaidToBeOne(t *testing.T) {
	opaque := adapter.Errorf(adapter.InvalidArgument, "Odoo can't work with these arguments: ascii")
	assert.Contains(t, problemOf(aboutPicture(opaque, "image/png")).Detail, "file: the system can't read it as image/png")
	assert.Equal(t, error(opaque), aboutPicture(opaque, "application/pdf"))
	named := &adapter.Error{Code: adapter.InvalidArgument, Field: "record_id", Message: "x"}
	assert.Equal(t, error(named), aboutPicture(named, "image/png"))
	other := errors.New("x")
	assert.Equal(t, other, aboutPicture(other, "image/png"))
}
