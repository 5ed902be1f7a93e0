//go:build !race

package ledger

// models is how many seeds each model of clocks is run for, for so many rounds.
const models, rounds = 2, 20
