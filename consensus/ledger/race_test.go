//go:build race

package ledger

// models is how many seeds each model of clocks is run for, for so many rounds.
// With the race detector, which finds nothing in what runs alone, a few will do.
const models, rounds = 1, 4
