//go:build !race

package ledger

// models is the number of seeds for each model of clocks, and rounds the number
// of rounds for each seed.
const models, rounds = 2, 20
