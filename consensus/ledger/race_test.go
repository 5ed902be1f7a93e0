//go:build race

package ledger

// models is the number of seeds for each model of clocks, and rounds the number
// of rounds for each seed. The models are not concurrent, so a few are enough
// with the race detector.
const models, rounds = 1, 4
