package auditing

import (
	"io"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/ledger"
	"atoll/consensus/operators"
)

// Uses holds a bank to the operators' log that it has handed in: first [Uses.Look] at
// each entry of the log, then [Uses.Read] the files, then [Uses.Compare].
type Uses struct {
	Bank string

	Queries int // of the bank that were opened
	Locked  int // queries that the identity does not open
	Chain   operators.Chain
	First   uint64 // number of the first record of the files; 0: there is none yet

	asked   []loggedQuery
	breaks  []uint64                    // numbers of the records from which on the chain is without a damaged file
	records map[string]operators.Record // by the head after each; those that a query names alone
}

// loggedQuery is what a query of the bank says of its request.
type loggedQuery struct {
	entry    uint64
	signed   uint64 // the bank's time, Unix milliseconds
	operator string
	head     string
}

// Misuse is a query that the operators' log does not bear out.
type Misuse struct {
	Entry  uint64 // 0 for what is about the operators' log alone
	Record uint64 // of the operators' log; 0 for what is about a query
	Rule   string // one of UseWords
}

// Rules about a query and the record of its request.
const (
	useNone     = "query.unrequested" // no request made it
	useMissing  = "query.unrecorded"  // no record has its head
	useOther    = "query.other_record"
	useTwice    = "query.one_request"
	useOperator = "query.operator"
	useTime     = "query.time"
	useDamaged  = "operators.damaged" // of a record: before it, records are missing
)

// UseWords says what each rule finds.
var UseWords = map[string]cli.Text{
	useNone:     {Chinese: "不是经 API 的请求提出的", English: "no request through the API made it"},
	useMissing:  {Chinese: "所交的经办人日志中没有其链头：记录缺失，或日志被改写", English: "the operators' log that was handed in does not contain its head: a record is missing, or the log was written anew"},
	useOther:    {Chinese: "其链头处的记录不是一次请求", English: "the record at its head is of no request"},
	useTwice:    {Chinese: "其请求已用于另一查询", English: "its request made another query"},
	useOperator: {Chinese: "经办人与记录不符", English: "its operator is another one than the record names"},
	useDamaged:  {Chinese: "此处有断裂：据该成员所述，文件已损坏，其后的记录不在所交的链中", English: "there is a break: the member says that a file was damaged, and the records after that place are not in the chain that was handed in"},
	useTime:     {Chinese: "记录晚于查询的签署时间", English: "the record is later than the query was signed"},
}

// Look notes what a query of the bank says, as the inspector that has just added the
// entry opens it.
func (u *Uses) Look(i *audit.Inspector, e *audit.Entry) error {
	if e.Kind != ledger.KindQueryOpen || e.Author != u.Bank {
		return nil
	}
	o, err := i.Unseal(e)
	if err != nil || o == nil || o.Query == nil {
		u.Locked++ // the inspector's own findings say why
		return nil
	}
	u.Queries++
	u.asked = append(u.asked, loggedQuery{e.Index, e.Statement.ID.Time(), o.Query.Operator, operators.Head(o.Query.Operators).String()})
	return nil
}

// Other is the error of a log that is another member's.
type Other struct{ Member string }

func (o *Other) Error() string { return "it is the operators' log of " + o.Member }

// Read follows the chain through the next file. Errors: [operators.ErrBroken], [*Other],
// and those of the reader.
func (u *Uses) Read(file io.Reader) (err error) {
	if u.records == nil {
		u.records = map[string]operators.Record{}
	}
	wanted := map[string]bool{}
	for _, q := range u.asked {
		wanted[q.head] = true
	}
	u.Chain, _, err = u.Chain.Read(file, func(r *operators.Record, h operators.Head) error {
		if u.First == 0 {
			u.First = r.Number
		}
		if r.Kind == operators.Opened && r.Member != u.Bank {
			return &Other{r.Member}
		}
		if r.Damaged != nil {
			u.breaks = append(u.breaks, r.Number)
		}
		if wanted[h.String()] {
			u.records[h.String()] = *r
		}
		return nil
	})
	return err
}

// clockSlack is how much later than its query a record may be: the clock of the machine
// may have been set meanwhile.
const clockSlack = 60 * time.Second

// Compare returns what the records do not bear out: breaks of the chain, and then
// queries, each in its order.
func (u *Uses) Compare() []Misuse {
	found := []Misuse{}
	for _, n := range u.breaks {
		found = append(found, Misuse{Record: n, Rule: useDamaged})
	}
	used := map[string]bool{}
	for _, q := range u.asked {
		r, ok := u.records[q.head]
		rule := ""
		switch at, err := operators.ParseTime(r.Time); {
		case q.head == (operators.Head{}).String():
			rule = useNone
		case !ok:
			rule = useMissing
		case r.Kind != operators.Use:
			rule = useOther
		case used[q.head]:
			rule = useTwice
		case r.Operator() != "" && r.Operator() != q.operator:
			rule = useOperator
		case err != nil || at.After(time.UnixMilli(int64(q.signed)).Add(clockSlack)):
			rule = useTime
		}
		used[q.head] = true
		if rule != "" {
			found = append(found, Misuse{Entry: q.entry, Rule: rule})
		}
	}
	return found
}
