package source

import (
	"context"
	"database/sql"
	"errors"

	"atoll/node/catalog"
)

// mysqlWritten is when a table was written last, in seconds. Within the same
// second it may be written again, so that for a while it is another moment each
// time.
const mysqlWritten = "SELECT concat(t.update_time, CASE WHEN t.update_time > now() - INTERVAL 2 SECOND THEN now(6) ELSE '' END)" +
	" FROM information_schema.tables t WHERE t.table_schema = ? AND t.table_name = ?"

func (m *mysqlServer) written(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (string, error) {
	var at sql.NullString
	err := tx.QueryRowContext(ctx, mysqlWritten, m.database, d.Table).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return at.String, err
}
