package auditing

import "atoll/cmd/internal/cli"

// TallyHeads are the headings of the figures of a report, in their order: of queries as
// a whole, or of those that asked one agency. Each says whose answers it counts: a query
// that one of two agencies answered is one that the other one did not answer.
func TallyHeads(agency bool) []cli.Text {
	counts := []cli.Text{
		{Chinese: "查询", English: "queries"}, {Chinese: "各机构放行", English: "releases (all agencies)"}, {Chinese: "各机构拒绝", English: "refusals (all agencies)"},
		{Chinese: "到期无一机构应答", English: "no agency answered"}, {Chinese: "尚无机构应答", English: "none answered yet"},
	}
	if agency {
		counts = []cli.Text{
			{Chinese: "问及该机构", English: "queries to it"}, {Chinese: "其放行", English: "its releases"}, {Chinese: "其拒绝", English: "its refusals"},
			{Chinese: "其到期未答", English: "not answered in time"}, {Chinese: "其尚未应答", English: "not answered yet"},
		}
	}
	return append(counts, cli.Text{Chinese: "p50（毫秒）", English: "p50 (ms)"}, cli.Text{Chinese: "p90（毫秒）", English: "p90 (ms)"}, cli.Text{Chinese: "最长（毫秒）", English: "longest (ms)"})
}

// What the figures of a report count.
var (
	TallyWords = cli.Text{
		Chinese: "一次查询可问多个机构：各机构的放行和拒绝分别计数；没有任何机构应答的查询计为无一机构应答。",
		English: "One query may ask several agencies: each of their releases and refusals counts. No agency answered a query if not one of those that it asked did.",
	}
	LatencyWords = cli.Text{
		Chinese: "时延为网络时间的毫秒数，自查询至放行；p50：半数不超过，p90：九成不超过。日志静默之后，首个查询的网络时间早于实际，可达约一小时，其时延因而偏大。",
		English: "Latencies are milliseconds of network time from query to release; half do not exceed p50, and nine of ten do not exceed p90. After a silence of the log, network time is behind by up to about an hour: the first query is dated too early, and its latency is too large.",
	}
)
