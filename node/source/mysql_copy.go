package source

import (
	"context"
	"database/sql"

	"atoll/node/catalog"
)

// copied takes a server that takes no writes but those of another one for a copy
// of it, of which the account may not learn how old it is.
func (m *mysqlServer) copied(ctx context.Context, tx *sql.Tx, _ *catalog.Dataset) (*Load, error) {
	var follows bool
	err := tx.QueryRowContext(ctx, "SELECT @@global.read_only <> 0 OR @@global.innodb_read_only <> 0").Scan(&follows)
	if err != nil || !follows {
		return nil, err
	}
	return &Load{}, nil
}
