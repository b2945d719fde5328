package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestALockIsHeldOnceAndOutlivesNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock")
	// What a process leaves that was killed: the file, without the lock.
	require.NoError(t, os.WriteFile(path, []byte("process 1, since 2020-01-01 00:00:00, and more than is written next"), 0o600))
	release, err := hold(path)
	require.NoError(t, err)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(b), "2020")

	_, err = hold(path)
	var held *heldError
	require.ErrorAs(t, err, &held)
	assert.Equal(t, string(b), held.holder)

	release()
	assert.NoFileExists(t, path)
	release, err = hold(path)
	require.NoError(t, err)
	release()

	_, err = hold(filepath.Join(path, "no folder"))
	require.Error(t, err)
}
