package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/microsoft/go-mssqldb"
)

// Numbers of errors of SQL Server.
var (
	tdsLogin     = []int32{18452, 18456, 18470, 18486, 18487, 18488}
	tdsDatabase  = []int32{911, 916, 4060, 4064}
	tdsRights    = []int32{229, 230, 262, 297, 300}
	tdsNoColumn  = []int32{207}
	tdsNoTable   = []int32{208, 4413, 4502}
	tdsStructure = []int32{3952, 3961}
	tdsLocked    = []int32{1205, 1222}
	tdsResources = []int32{701, 802, 1105, 9002, 10928, 10929, 17809, 40501}
	tdsEnding    = []int32{233, 6005, 17142, 17148, 40197, 40613}
	tdsDamaged   = []int32{823, 824, 825}
)

// fatalClass is the first class of errors with which the server ends the
// connection.
const fatalClass = 20

// explainSQLServer says what an error of the driver means. The texts of the
// server are left out: they might contain a value.
func explainSQLServer(ctx context.Context, file string, err error) error {
	if err == nil {
		return nil
	}
	if e := known(ctx, err); e != nil {
		return e
	}
	var said mssql.Error
	e := &Error{Code: Unreachable, Detail: "the server cannot be reached, or the connection broke: see whether it runs, and whether address is right"}
	switch code, detail := tdsUntrusted(err); {
	case errors.As(err, &said):
		e = tdsProblem(said)
	case code != "":
		e = &Error{Code: code, Detail: detail}
	}
	e.lost = e.Code == Unreachable || e.Code == Changed
	return e.at(file, 0, "")
}

// tdsUntrusted is untrusted for a driver that passes on only the texts of
// errors: these are texts of Go's, and of the driver's own.
func tdsUntrusted(err error) (Code, string) {
	if code, detail := untrusted(err); code != "" {
		return code, detail
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "server does not support encryption"):
		return Untrusted, "the server offers no TLS: switch it on there, or declare a plain connection (tls.off: true)"
	case strings.Contains(text, "remote error: tls:"):
		return Untrusted, "the server refuses this node's certificate: correct tls.cert and tls.key"
	case !strings.Contains(text, "x509: "):
	case strings.Contains(text, "certificate is valid for"), strings.Contains(text, "certificate is not valid for any names"):
		return Untrusted, "the server's certificate is for another name: correct address or tls.name, or the certificate"
	case strings.Contains(text, "unknown authority"):
		return Untrusted, "the server's certificate is not from the authority that is named: correct tls.ca, and find out whose server answers"
	default:
		return Untrusted, "the server's certificate is not valid, perhaps expired: renew it"
	}
	return "", ""
}

// tdsProblem says what an error of the server means.
func tdsProblem(said mssql.Error) *Error {
	is := func(list []int32) bool { return slices.Contains(list, said.Number) }
	switch {
	case is(tdsLogin):
		return &Error{Code: Denied, Detail: "the server refuses the account or its password: correct user and password, and let the account connect from this host"}
	case is(tdsDatabase):
		return &Error{Code: Denied, Detail: "the server has no such database, or the account may not use it: correct database, or create a user for the account in it"}
	case is(tdsRights):
		return &Error{Code: Denied, Detail: "the account lacks a privilege: GRANT SELECT on the tables of the catalog and on atoll_load, and nothing more", table: true}
	case is(tdsNoColumn):
		return &Error{Code: MissingColumn, Detail: "a column of the catalog is gone from the table: add it, or correct the catalog"}
	case is(tdsNoTable):
		return &Error{Code: NotReadable, Detail: "a table of the catalog is gone, or a view has lost what it reads: create it again, or correct the catalog"}
	case is(tdsStructure):
		return &Error{Code: Changed, Detail: "the table was altered while it was read: try again"}
	case is(tdsLocked):
		return &Error{Code: NotReadable, Detail: "the table is locked by a writer: try again"}
	case is(tdsResources):
		return &Error{Code: Unreachable, Detail: "the server has no connection, memory or disk left: raise its limits, or lower connections of the source"}
	case is(tdsDamaged):
		return &Error{Code: NotReadable, Detail: "the table is damaged: restore it from a backup"}
	case is(tdsEnding) || said.Class >= fatalClass:
		return &Error{Code: Unreachable, Detail: "the server ended the connection, or is starting or stopping: try again"}
	}
	return &Error{Code: NotReadable, Detail: fmt.Sprintf("the database cannot be read (error %d of the server): look the number up in its manual, or ask its administrator", said.Number)}
}
