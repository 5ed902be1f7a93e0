package source

import (
	"context"
	"database/sql"
	"slices"
	"strings"
)

// harmless are the privileges by which nothing can be written, neither to a
// table nor to a file nor by a routine of another account.
var harmless = []string{"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "PROCESS", "REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR", "REPLICA MONITOR"}

// grant is what one line of SHOW GRANTS allows.
type grant struct {
	harmless bool
	roles    []string // quoted, as the server wrote them: what they allow is in lines of their own
	to       string   // whom it allows it, quoted
}

var grantToken = expression("^(?:`(?:[^`]|``)*`|'(?:[^']|'')*'|[A-Za-z_0-9$%]+|[(),.@*])")

// grantTokens splits a line of SHOW GRANTS; nil where it has something else in
// it.
func grantTokens(line string) (tokens []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		t := grantToken().FindString(line)
		if t == "" {
			return nil
		}
		tokens, line = append(tokens, t), line[len(t):]
	}
	return tokens
}

// grantReader reads tokens in their order.
type grantReader struct {
	tokens []string
	failed bool
}

func (r *grantReader) next() string {
	if len(r.tokens) == 0 {
		r.failed = true
		return ""
	}
	t := r.tokens[0]
	r.tokens = r.tokens[1:]
	return t
}

// takes reads a token if it is this one.
func (r *grantReader) takes(token string) bool {
	is := len(r.tokens) > 0 && r.tokens[0] == token
	if is {
		r.tokens = r.tokens[1:]
	}
	return is
}

func (r *grantReader) needs(token string) { r.failed = !r.takes(token) || r.failed }

// name reads a quoted name.
func (r *grantReader) name() string {
	t := r.next()
	r.failed = r.failed || len(t) < 2 || t[0] != '`' && t[0] != '\''
	return t
}

// account reads a name, perhaps with a host.
func (r *grantReader) account() string {
	name := r.name()
	if r.takes("@") {
		name += "@" + r.name()
	}
	return name
}

// parseGrant reads one line of SHOW GRANTS. What it does not know for certain is
// not harmless: an option to grant, a routine, a proxy, a privilege of a version
// to come.
func parseGrant(line string) (g grant) {
	r := grantReader{tokens: grantTokens(line)}
	if r.takes("REVOKE") || r.takes("SET") && r.takes("DEFAULT") && r.takes("ROLE") {
		return grant{harmless: true} // takes something away; or names a role that another line grants
	}
	r.needs("GRANT")
	g.harmless = true
	if len(r.tokens) > 0 && r.tokens[0][0] == '`' {
		for more := true; more && !r.failed; more = r.takes(",") {
			g.roles = append(g.roles, r.account())
		}
	} else {
		for more := true; more && !r.failed; more = r.takes(",") {
			g.harmless = r.privilege() && g.harmless
		}
		r.needs("ON")
		r.object()
	}
	r.needs("TO")
	if !r.takes("PUBLIC") {
		g.to = r.account()
	}
	// How the account proves who it is follows, its limits, and options to grant.
	options := slices.Contains(r.tokens, "GRANT") || slices.Contains(r.tokens, "ADMIN")
	if r.failed || options || len(r.tokens) > 0 && !slices.Contains([]string{"IDENTIFIED", "REQUIRE", "WITH"}, r.tokens[0]) {
		return grant{}
	}
	return g
}

// privilege reads a privilege, perhaps with the columns that it is limited to,
// and reports whether it is harmless.
func (r *grantReader) privilege() bool {
	var words []string
	for len(r.tokens) > 0 && !slices.Contains([]string{",", "ON", "("}, r.tokens[0]) {
		words = append(words, r.next())
	}
	if r.takes("(") {
		for more := true; more && !r.failed; more = r.takes(",") {
			r.next()
		}
		r.needs(")")
	}
	return slices.Contains(harmless, strings.Join(words, " "))
}

// object reads what a privilege is for: everything, a database or a table.
func (r *grantReader) object() {
	r.takes("TABLE")
	for i := range 2 {
		if i > 0 {
			r.needs(".")
		}
		if !r.takes("*") {
			r.name()
		}
	}
}

// maxRoles limits the roles that are followed.
const maxRoles = 100

// onlyReads reports whether the grants of the account, and of every role that it
// can take, prove that it cannot write. It takes the roles one after the other,
// since the server shows what a role allows only to who has taken it; so the
// connection is not to be used again.
func onlyReads(ctx context.Context, conn *sql.Conn) (bool, error) {
	lines, err := namesOf(conn.QueryContext(ctx, "SHOW GRANTS"))
	if err != nil || len(lines) == 0 {
		return false, err
	}
	own, described := map[string]bool{}, map[string]bool{}
	roles, ok := grantsIn(lines, described)
	for _, role := range roles {
		own[role] = true
	}
	for role := range own {
		if !ok || len(own) > maxRoles {
			return false, nil
		}
		if _, err := conn.ExecContext(ctx, "SET ROLE "+role); err != nil {
			return false, err
		}
		if lines, err = namesOf(conn.QueryContext(ctx, "SHOW GRANTS")); err != nil {
			return false, err
		}
		var further []string
		further, ok = grantsIn(lines, described)
		roles = append(roles, further...)
	}
	for _, role := range roles { // also those that were granted to roles
		ok = ok && described[role]
	}
	return ok, nil
}

// grantsIn reads lines of SHOW GRANTS. It returns the roles in them, notes whom
// they describe, and reports whether all are harmless.
func grantsIn(lines []string, described map[string]bool) (roles []string, ok bool) {
	ok = true
	for _, line := range lines {
		g := parseGrant(line)
		ok = ok && g.harmless
		roles, described[g.to] = append(roles, g.roles...), true
	}
	return roles, ok
}
