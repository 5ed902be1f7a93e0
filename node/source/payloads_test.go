package source

// sqlPayloads are texts that have broken programs that build SQL.
func sqlPayloads() (list []string) {
	list = []string{
		"'", "\"", "`", "''", "\"\"", "``", "'\"`", "\\", "\\'", "\\\"", "\\`", "\\\\'", "'--", "'#", "';--", "\";--", "`;--", "' OR '1'='1", "\" OR \"1\"=\"1", "` OR `1`=`1",
		"' OR 1=1 -- ", "1 OR 1=1", "1; DROP TABLE safe", "'; DROP TABLE safe; --", "\"; DROP TABLE safe; --", "`; DROP TABLE safe; --", "') OR ('1'='1", "\") OR (\"1\"=\"1",
		"' UNION SELECT uscc, v FROM safe -- ", "\" FROM safe UNION SELECT \"", "` FROM safe UNION SELECT `", "x\" AS y FROM safe --", "x` AS y FROM safe --", "/*", "*/", "/*! DROP TABLE safe */", "/*M! DROP TABLE safe */", "--", "#", ";", "(", ")", ",", ".", "*", "?", "$1", ":name", "@x", "@@version", "%", "_", "%s", "%27", "&#39;",
		"' AND pg_sleep(9)::text='", "' AND sleep(9)='", "' || pg_read_file('/etc/passwd') || '", "$$; DROP TABLE safe; $$", "E'\\''", "U&\"\\0022\"", "U&'\\0027'", "0x27", "x'27'", "CHAR(39)", "safe.uscc", "\"safe\".\"uscc\"", "`safe`.`uscc`", "r.*", "r", "NULL", "TRUE",
		"uscc\n", "uscc\t", "us cc", " uscc", "SELECT", "table", "rowid", "ｕscc", "＇ OR 1=1", "ʼ", "’", "‘ OR ’1", "\u202e", "\xbf'", "\xbf\x27 OR 1=1 -- ", "\x8f'", "列", "列'\"`",
	}
	return list
}
