package main

import (
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/node/access"
)

// roleNames are the roles of tokens in Chinese, which may be written in place of them.
var roleNames = map[access.Role]string{
	access.Officer: "经办", access.Risk: "风控", access.Agency: "机构", access.Registrar: "登记", access.Auditor: "审计", access.Admin: "管理",
}

// rolesOf returns the roles that were named, in either language.
func rolesOf(names []string) (roles []access.Role, err error) {
	for _, name := range names {
		r, ok := roleNamed(name)
		if !ok {
			return nil, cli.Usage("没有角色 %.40q", "there is no role %.40q", name).
				With(cli.Words("角色有："+listRoles(true)), cli.Words("the roles are "+listRoles(false)))
		}
		roles = append(roles, r)
	}
	return roles, nil
}

func roleNamed(name string) (access.Role, bool) {
	for _, r := range access.Roles() {
		if name == string(r) || name == roleNames[r] {
			return r, true
		}
	}
	return "", false
}

// listRoles lists the roles, with their Chinese names for who reads Chinese.
func listRoles(chinese bool) string {
	var list []string
	for _, r := range access.Roles() {
		if chinese {
			list = append(list, string(r)+"（"+roleNames[r]+"）")
		} else {
			list = append(list, string(r))
		}
	}
	if chinese {
		return strings.Join(list, "、")
	}
	return strings.Join(list, ", ")
}
