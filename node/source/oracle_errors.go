package source

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sijms/go-ora/v2/network"
)

// Numbers of errors of Oracle (ORA-…).
var (
	tnsLogin     = []int{1005, 1017, 1045, 28000, 28001, 28002, 28003, 1031}
	tnsService   = []int{12505, 12514, 12516, 12520, 12521}
	tnsNoTable   = []int{942, 4063, 1775}
	tnsNoColumn  = []int{904}
	tnsStructure = []int{1410, 1466, 8103, 1555}
	tnsLocked    = []int{54, 60, 4021}
	tnsResources = []int{18, 20, 1652, 2391, 4030, 4031, 12519}
	tnsEnding    = []int{28, 1012, 1033, 1034, 1089, 1092, 3113, 3114, 3135, 12528, 12537, 12541, 12547, 12564}
	tnsStopped   = []int{1013, 40, 2393}
	tnsDamaged   = []int{1578, 600}
)

// explainOracle says what an error of the driver means. The texts of the server
// are left out: they might contain a value.
func explainOracle(ctx context.Context, file string, err error) error {
	if err == nil {
		return nil
	}
	if e := known(ctx, err); e != nil {
		return e
	}
	var said *network.OracleError
	e := &Error{Code: Unreachable, Detail: "the server cannot be reached, or the connection broke: see whether it runs, and whether address is right"}
	switch code, detail := untrusted(err); {
	case errors.As(err, &said):
		e = tnsProblem(said.ErrCode)
	case code != "":
		e = &Error{Code: code, Detail: detail}
	}
	e.lost = e.Code == Unreachable || e.Code == Changed
	return e.at(file, 0, "")
}

// tnsProblem says what an error of the server means.
func tnsProblem(number int) *Error {
	is := func(list []int) bool { return slices.Contains(list, number) }
	switch {
	case is(tnsLogin):
		return &Error{Code: Denied, Detail: "the server refuses the account or its password: correct user and password, and let the account connect from this host"}
	case is(tnsService):
		return &Error{Code: Denied, Detail: "the server has no such service, or it is not open: correct database, which is the name of the service"}
	case is(tnsNoTable):
		return &Error{Code: NotReadable, Detail: "a table of the catalog is gone, a view has lost what it reads, or the account lost its privilege: the server does not say which", table: true}
	case is(tnsNoColumn):
		return &Error{Code: MissingColumn, Detail: "a column of the catalog is gone from the table: add it, or correct the catalog"}
	case is(tnsStructure):
		return &Error{Code: Changed, Detail: "the table was altered while it was read: try again"}
	case is(tnsLocked):
		return &Error{Code: NotReadable, Detail: "the table is locked by a writer: try again"}
	case is(tnsResources):
		return &Error{Code: Unreachable, Detail: "the server has no connection, memory or disk left: raise its limits, or lower connections of the source"}
	case is(tnsEnding):
		return &Error{Code: Unreachable, Detail: "the server ended the connection, or is starting or stopping: try again"}
	case is(tnsStopped):
		return &Error{Code: TimedOut, Detail: "the server took too long: try again; if it stays so, give the table an index on its key"}
	case is(tnsDamaged):
		return &Error{Code: NotReadable, Detail: "the table is damaged: restore it from a backup"}
	}
	return &Error{Code: NotReadable, Detail: fmt.Sprintf("the database cannot be read (error %d of the server): look the number up in its manual, or ask its administrator", number)}
}
