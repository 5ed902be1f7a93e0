package source

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// tdsHarmless are the rights by which nothing can be written, neither to a table
// nor by a procedure or another account.
var tdsHarmless = []string{
	"SERVER CONNECT SQL", "SERVER VIEW ANY DATABASE", "SERVER VIEW ANY DEFINITION", "SERVER VIEW SERVER STATE",
	"SERVER VIEW ANY SECURITY DEFINITION", "SERVER VIEW ANY PERFORMANCE DEFINITION", "SERVER VIEW SERVER PERFORMANCE STATE", "SERVER VIEW SERVER SECURITY STATE",
	"DATABASE CONNECT", "DATABASE SELECT", "DATABASE SHOWPLAN", "DATABASE UNMASK", "DATABASE VIEW DATABASE STATE", "DATABASE VIEW DEFINITION",
	"DATABASE VIEW ANY COLUMN ENCRYPTION KEY DEFINITION", "DATABASE VIEW ANY COLUMN MASTER KEY DEFINITION",
	"DATABASE VIEW SECURITY DEFINITION", "DATABASE VIEW PERFORMANCE DEFINITION", "DATABASE VIEW DATABASE PERFORMANCE STATE", "DATABASE VIEW DATABASE SECURITY STATE",
	"SCHEMA SELECT", "SCHEMA UNMASK", "SCHEMA VIEW DEFINITION", "SCHEMA VIEW CHANGE TRACKING",
	"OBJECT SELECT", "OBJECT UNMASK", "OBJECT VIEW DEFINITION", "OBJECT VIEW CHANGE TRACKING",
	"USER VIEW DEFINITION", "LOGIN VIEW DEFINITION",
}

// tdsRightsHeld lists what the account may do, by itself and by its roles: to the
// server, the database, each schema and object in it, and to other accounts,
// whose rights it could take on.
const tdsRightsHeld = `SELECT 'SERVER ' + permission_name COLLATE Latin1_General_CI_AS FROM fn_my_permissions(NULL, 'SERVER')
UNION SELECT 'DATABASE ' + permission_name COLLATE Latin1_General_CI_AS FROM fn_my_permissions(NULL, 'DATABASE')
UNION SELECT 'SCHEMA ' + p.permission_name COLLATE Latin1_General_CI_AS FROM sys.schemas s CROSS APPLY fn_my_permissions(QUOTENAME(s.name), 'SCHEMA') p
UNION SELECT 'OBJECT ' + p.permission_name COLLATE Latin1_General_CI_AS FROM sys.objects o CROSS APPLY fn_my_permissions(QUOTENAME(SCHEMA_NAME(o.schema_id)) + '.' + QUOTENAME(o.name), 'OBJECT') p
	WHERE o.is_ms_shipped = 0 AND o.parent_object_id = 0
UNION SELECT 'USER ' + p.permission_name COLLATE Latin1_General_CI_AS FROM sys.database_principals u CROSS APPLY fn_my_permissions(QUOTENAME(u.name), 'USER') p
	WHERE u.type IN ('S', 'U', 'G', 'E', 'X') AND u.principal_id <> USER_ID()
UNION SELECT 'LOGIN ' + p.permission_name COLLATE Latin1_General_CI_AS FROM sys.server_principals l CROSS APPLY fn_my_permissions(QUOTENAME(l.name), 'LOGIN') p
	WHERE l.type IN ('S', 'U', 'G', 'E', 'X') AND l.name <> SUSER_SNAME()
UNION SELECT 'GRANT ' + d.permission_name COLLATE Latin1_General_CI_AS FROM sys.database_permissions d WHERE d.state = 'W' AND (d.grantee_principal_id = USER_ID() OR IS_MEMBER(USER_NAME(d.grantee_principal_id)) = 1)`

// readOnly reports whether every right that the account has is known to be
// harmless; an account without any cannot be: the list was not complete then. A
// database that is read-only, or the copy of another, cannot be written to.
func (s *sqlServer) readOnly(ctx context.Context) (proved bool, err error) {
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		var closed sql.NullInt64
		if err := tx.QueryRowContext(ctx, "SELECT CASE WHEN DATABASEPROPERTYEX(DB_NAME(), 'Updateability') = 'READ_ONLY' THEN 1 ELSE 0 END").Scan(&closed); err != nil || closed.Int64 == 1 {
			proved = err == nil
			return err
		}
		held, err := namesOf(tx.QueryContext(ctx, tdsRightsHeld))
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(held, func(right string) bool { return !slices.Contains(tdsHarmless, right) }); i >= 0 {
			return beyondReading(s.where, held[i])
		}
		proved = slices.Contains(held, "DATABASE CONNECT")
		return nil
	})
	return proved, err
}

// beyondReading warns of a right, as the server's list has it.
func beyondReading(file, right string) *Error {
	return &Error{Code: MayWrite, File: file, Detail: fmt.Sprintf("the account has the right %q, which is more than reading: take it from the account and its roles (atoll source grants prints what it needs)", right)}
}

// grants takes no role from the account: REVOKE knows rights alone.
func (s *sqlServer) grants(to grantee, tables []readable) (list []string) {
	user := s.quote(to.user)
	for _, r := range tables {
		list = append(list, "REVOKE ALL ON "+s.table(r.table)+" FROM "+user, "GRANT "+r.selects(s.quote)+" ON "+s.table(r.table)+" TO "+user)
	}
	return list
}
