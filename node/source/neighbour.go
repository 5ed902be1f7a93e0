package source

import "context"

// neighbour is a table whose columns are asked for soon after those of another, in
// the same transaction. A dialect may ask its server for both together. It is for one
// goroutine.
type neighbour struct {
	table   string
	columns []tableColumn
	known   bool
}

type neighbourKey struct{}

// withNeighbour is the context of questions in one transaction, of which one is for
// the columns of this table, after that for another's.
func withNeighbour(ctx context.Context, table string) context.Context {
	return context.WithValue(ctx, neighbourKey{}, &neighbour{table: table})
}

// neighbourOf returns the neighbour of [withNeighbour], nil where there is none.
func neighbourOf(ctx context.Context) *neighbour {
	n, _ := ctx.Value(neighbourKey{}).(*neighbour)
	return n
}

// has reports whether the columns of a table are known as the neighbour's.
func (n *neighbour) has(table string) bool { return n != nil && n.known && n.table == table }

// or returns the name of the neighbour, or of the table itself where there is none.
func (n *neighbour) or(table string) string {
	if n == nil {
		return table
	}
	return n.table
}

// take keeps the columns of the neighbour that came with those of a table.
func (n *neighbour) take(table string, columns []tableColumn) {
	if n != nil && n.table != table {
		n.columns, n.known = columns, true
	}
}
