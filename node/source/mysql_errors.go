package source

import "fmt"

// Numbers of errors of MySQL and MariaDB.
const (
	myTooManyConnections = 1040
	myDatabaseDenied     = 1044
	myAccountDenied      = 1045
	myNoDatabase         = 1049
	myShutdown           = 1053
	myNoColumn           = 1054
	myHostBlocked        = 1129
	myHostDenied         = 1130
	myTableDenied        = 1142
	myColumnDenied       = 1143
	myNoTable            = 1146
	myUserConnections    = 1203
	myLockWait           = 1205
	myDeadlock           = 1213
	myResources          = 1226
	myPrivilegeDenied    = 1227
	myInterrupted        = 1317
	myViewInvalid        = 1356
	myStructure          = 1412
	myRoutineDenied      = 1370
	myExpired            = 1862
	myNoValue            = 1231
	myCrashed            = 145
	myCrashedTable       = 1194
	myCrashedRepair      = 1195
	myNoDefiner          = 1449
	myKilled             = 1927 // MariaDB
	myLocked             = 4151 // MariaDB
	myLockedToo          = 3118 // MySQL
	myStatementTime      = 1969 // MariaDB
	myExecutionTime      = 3024 // MySQL
)

// mysqlProblem says what an error of the server means.
func mysqlProblem(number uint16) *Error {
	code, detail := NotReadable, ""
	switch number {
	case myAccountDenied, myHostDenied, myExpired, myLocked, myLockedToo:
		code, detail = Denied, "the server refuses the account or its password: correct user and password, and let the account connect from this host"
	case myDatabaseDenied, myTableDenied, myColumnDenied, myPrivilegeDenied, myRoutineDenied:
		code, detail = Denied, "the account lacks a privilege: GRANT SELECT on the tables of the catalog and on atoll_load, and nothing more"
	case myTooManyConnections, myUserConnections, myResources, myHostBlocked:
		code, detail = Unreachable, "the server has no connection left for the account: let it have as many as connections says"
	case myShutdown, myKilled:
		code, detail = Unreachable, "the server stops, or has ended the connection: try again"
	case myNoDatabase:
		detail = "the server has no such database: correct database"
	case myNoTable, myViewInvalid:
		detail = "a table of the catalog is gone, or a view has lost what it reads: create it again, or correct the catalog"
	case myNoColumn:
		code, detail = MissingColumn, "a column of the catalog is gone from the table: add it, or correct the catalog"
	case myStructure:
		code, detail = Changed, "the table was altered while it was read: try again"
	case myStatementTime, myExecutionTime, myInterrupted:
		code, detail = TimedOut, "the server took too long: try again; if it stays so, give the table an index on its key"
	case myNoValue:
		detail = "the server refuses the settings of a session, or shows all tables as of another day (system_versioning_asof): let its administrator set that back"
	case myCrashed, myCrashedTable, myCrashedRepair:
		detail = "the table is damaged: let its owner CHECK and REPAIR it, or restore it from a backup"
	case myNoDefiner:
		detail = "a view of the catalog is of an account that is gone: let its owner create it again"
	case myLockWait, myDeadlock:
		detail = "the table is locked by a writer: try again"
	default:
		detail = fmt.Sprintf("the database cannot be read (error %d of the server): look the number up in its manual, or ask its administrator", number)
	}
	return &Error{Code: code, Detail: detail}
}
