package source

import (
	"context"
	"database/sql"
	"slices"
)

// tnsHarmless are the rights by which nothing can be written.
var tnsHarmless = []string{
	"SYSTEM CREATE SESSION", "SYSTEM ALTER SESSION", "SYSTEM SET CONTAINER", "SYSTEM UNLIMITED TABLESPACE", "SYSTEM SELECT ANY TABLE", "SYSTEM READ ANY TABLE",
	"SYSTEM SELECT ANY DICTIONARY", "SYSTEM SELECT ANY SEQUENCE", "SYSTEM EXEMPT ACCESS POLICY", "SYSTEM EXEMPT REDACTION POLICY",
	"OBJECT SELECT", "OBJECT READ",
}

// tnsRightsHeld lists what the account may do: by system privileges of its own,
// of the session and of all roles that it can take; by rights on objects and
// columns, of its own and of roles, and of everybody in the schema of the tables;
// as the owner of objects; and with an option to pass any of it on.
const tnsRightsHeld = `SELECT 'SYSTEM ' || PRIVILEGE FROM SESSION_PRIVS
UNION SELECT 'SYSTEM ' || PRIVILEGE || CASE WHEN ADMIN_OPTION = 'YES' THEN ' WITH ADMIN OPTION' END FROM USER_SYS_PRIVS
UNION SELECT 'SYSTEM ' || PRIVILEGE || CASE WHEN ADMIN_OPTION = 'YES' THEN ' WITH ADMIN OPTION' END FROM ROLE_SYS_PRIVS
UNION SELECT 'ROLE ' || GRANTED_ROLE || ' WITH ADMIN OPTION' FROM USER_ROLE_PRIVS WHERE ADMIN_OPTION = 'YES'
UNION SELECT 'OBJECT ' || PRIVILEGE || CASE WHEN GRANTABLE = 'YES' THEN ' WITH GRANT OPTION' END FROM USER_TAB_PRIVS WHERE GRANTEE = USER
UNION SELECT 'OBJECT ' || PRIVILEGE FROM ROLE_TAB_PRIVS
UNION SELECT 'OBJECT ' || PRIVILEGE FROM USER_COL_PRIVS WHERE GRANTEE = USER
UNION SELECT 'OBJECT ' || PRIVILEGE FROM ALL_TAB_PRIVS WHERE GRANTEE = 'PUBLIC' AND TABLE_SCHEMA = :1 AND PRIVILEGE <> 'INHERIT PRIVILEGES'
UNION SELECT 'OBJECT ' || PRIVILEGE FROM ALL_COL_PRIVS WHERE GRANTEE = 'PUBLIC' AND TABLE_SCHEMA = :2
UNION SELECT 'OWNER ' || OBJECT_TYPE FROM USER_OBJECTS`

// readOnly reports whether every right that the account has is known to be
// harmless; an account that may not even connect cannot be: the list was not
// complete then.
func (o *oracleServer) readOnly(ctx context.Context) (proved bool, err error) {
	err = o.snapshot(ctx, func(tx *sql.Tx) error {
		held, err := namesOf(tx.QueryContext(ctx, tnsRightsHeld, o.schema, o.schema))
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(held, func(right string) bool { return !slices.Contains(tnsHarmless, right) }); i >= 0 {
			return beyondReading(o.where, held[i])
		}
		proved = slices.Contains(held, "SYSTEM CREATE SESSION")
		return nil
	})
	return proved, err
}

// grants lets the account read whole tables: Oracle has no right to single
// columns. What else the account may do it does not take away.
func (o *oracleServer) grants(to grantee, tables []readable) (list []string) {
	for _, r := range tables {
		list = append(list, "GRANT SELECT ON "+o.table(r.table)+" TO "+o.quote(to.user))
	}
	return list
}
