//go:build race

package salesforce_test

// many is how many records the tests of streams read. The race detector makes
// each of them cost twenty times as much.
const many = 20_000
