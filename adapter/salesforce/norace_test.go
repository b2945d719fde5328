//go:build !race

package salesforce_test

// many is how many records the tests of streams read.
const many = 100_000
