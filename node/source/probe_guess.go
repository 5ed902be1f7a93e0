package source

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"atoll/node/catalog"
)

// guesser guesses what the answers of a service mean. Every guess is put to a
// person, since an answer that is understood wrongly may look like a clean one.
type guesser struct {
	*service
	answer  Answer
	key     string   // column
	columns []string // besides the key, in the order in which they appear
	decide  []catalog.Title
}

func (g *guesser) ask(chinese, english string) {
	g.decide = append(g.decide, catalog.Title{Chinese: chinese, English: english})
}

// Names that services give to what is beside their rows.
var (
	aTotal = expression(`(?i)total|count|records?num|条数|总数|记录数|总记录`)
	aSign  = expression(`(?i)^(ret_?|err_?|res_?|result_?|status_?|response_?)?(code|status|success|ok|ret|result|errcode|state|flag|found|exists)$`)
	aNext  = expression(`(?i)^next(_?(page|url|link|href))?$|^下一页$`)
	anAsOf = expression(`(?i)as_?of|data_?(date|day)|stat_?date|截至|数据日期|截止`)
)

// text returns a pointer as it is written (RFC 6901).
func (p pointer) text() string {
	var b strings.Builder
	for _, token := range p {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
	}
	return b.String()
}

// guess sets the declaration and the columns.
func (g *guesser) guess(list []heard, nobody heard) error {
	var with []heard // that have a document
	for _, r := range list {
		switch {
		case r.status == http.StatusOK:
			with = append(with, r)
		case r.status == http.StatusBadRequest:
			_, e := g.fault(r.status)
			return e
		default:
			g.none(r.status)
		}
	}
	if len(with) == 0 {
		return g.bad("the service has no record of any of the subjects, or is asked at another address than its own: name subjects that it has, or correct the URL")
	}
	at, rows := g.rowsIn(with)
	if rows == nil {
		return g.bad("no answer has a record with the code of its subject in it or beside it: name subjects that the service has; if it does not say about whom it answers, its answers cannot be proved and are of no use")
	}
	g.answer.Rows = at.text()
	g.fieldsOf(rows)
	var filled []heard // that have rows
	for i, r := range with {
		if len(rows[i].list) > 0 {
			filled = append(filled, r)
		}
	}
	g.number(at, filled)
	g.day(at, filled)
	g.sign(at, filled)
	g.absence(at, filled, nobody)
	if !g.answer.OmitsEmpty && len(filled) < 3 {
		g.ask("没有值的字段是否会被省略（answer.omits_empty）：只看到了少数记录", "whether a field without a value may be left out (answer.omits_empty): only few records were seen")
	}
	g.ask("该服务是否即登记原库（live: true），还是其副本", "whether the service is the register itself (live: true), or a copy of it")
	return nil
}

// none declares a status to mean that there is no record.
func (g *guesser) none(status int) {
	if g.answer.Status[status] == "none" {
		return
	}
	if g.answer.Status == nil {
		g.answer.Status = map[int]string{}
	}
	g.answer.Status[status] = "none"
	g.ask(fmt.Sprintf("HTTP 状态码 %d 是否总是表示无记录，而不会因网址有误或服务故障出现", status), fmt.Sprintf("whether the status %d of HTTP always means that there is no record, and never a wrong address or a fault", status))
}

// found are the rows of one answer at a place.
type found struct {
	code string
	list []json.RawMessage
}

// candidate is a place that may have the rows.
type candidate struct {
	at    pointer
	rows  int
	own   int  // rows that have the code in them
	one   bool // a record, no list
	order int
}

// rowsIn returns where the rows are, and the rows of each answer: the list of
// objects that have the code in them, or else a list beside the code, or else the
// object that has it. It returns no rows where there is no such place.
func (g *guesser) rowsIn(with []heard) (pointer, []found) {
	places := map[string]*candidate{}
	note := func(at pointer, raw json.RawMessage, code string) {
		rows := rowsAt(raw)
		if len(rows) == 0 {
			return
		}
		p := places[at.text()]
		if p == nil {
			p = &candidate{at: at, one: isObject(raw), order: len(places)}
			places[at.text()] = p
		}
		p.rows += len(rows)
		for _, row := range rows {
			if codeIn(row, code, p.one) != nil {
				p.own++
			}
		}
	}
	beside := true // every answer has the code outside its lists
	for _, r := range with {
		note(nil, r.document, r.code)
		walk(nil, r.document, func(at pointer, raw json.RawMessage) { note(at, raw, r.code) })
		beside = beside && codeIn(r.document, r.code, false) != nil
	}
	var best *candidate
	for _, p := range places {
		if p.own == p.rows || beside && p.own == 0 && p.listed(with) {
			if best == nil || p.better(best) {
				best = p
			}
		}
	}
	if best == nil {
		return nil, nil
	}
	var list []found
	for _, r := range with {
		raw, _ := best.at.find(r.document)
		list = append(list, found{r.code, rowsAt(raw)})
	}
	where := cmp.Or(best.at.text(), "/")
	switch {
	case best.own == 0:
		g.answer.Key = codeIn(with[0].document, with[0].code, false).text()
		g.ask("各行是否为 "+where+" 处的列表，均属于 "+g.answer.Key+" 处的企业", "whether the rows are the list at "+where+", all of the enterprise at "+g.answer.Key)
	case best.one:
		g.ask("每个企业的一条记录是否为 "+where+" 处的对象", "whether the one record of an enterprise is the object at "+where)
	}
	return best.at, list
}

// listed reports whether every answer has a list at the place.
func (p *candidate) listed(with []heard) bool {
	return !slices.ContainsFunc(with, func(r heard) bool {
		raw, _ := p.at.find(r.document)
		return !isList(raw)
	})
}

// better prefers lists with the code in their rows, then lists, then what has more
// rows, then what comes first.
func (p *candidate) better(q *candidate) bool {
	rank := func(p *candidate) int {
		switch {
		case !p.one && p.own > 0:
			return 0
		case !p.one:
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(rank(p), rank(q)), cmp.Compare(q.rows, p.rows), cmp.Compare(p.order, q.order)) < 0
}

// rowsAt returns the rows at a place: the elements of a list of objects, or an
// object.
func rowsAt(raw json.RawMessage) (rows []json.RawMessage) {
	switch {
	case isObject(raw):
		return []json.RawMessage{raw}
	case isList(raw):
		all := true
		elements(raw, func(row json.RawMessage) bool {
			all = isObject(row)
			rows = append(rows, row)
			return all
		})
		if !all {
			return nil
		}
	}
	return rows
}

// codeIn returns where an object has the code; direct: among its own members.
func codeIn(object json.RawMessage, code string, direct bool) (at pointer) {
	walk(nil, object, func(p pointer, raw json.RawMessage) {
		if at != nil || direct && len(p) > 1 || isObject(raw) || isList(raw) {
			return
		}
		if got, _ := (keying{lei: true}).sortCell(jsonCell(raw)); got == code {
			at = p
		}
	})
	return at
}

// columnOf returns a place in a row as a catalog names it; "" where it cannot.
func columnOf(p pointer) string {
	if name := p[0]; len(p) == 1 && catalog.ValidColumn(name) {
		return name
	}
	if text := p.text(); catalog.ValidColumn(text) {
		return text
	}
	return ""
}

// fieldsOf sets the columns: every single value that some row has.
func (g *guesser) fieldsOf(rows []found) {
	seen, count, total := map[string]bool{}, map[string]int{}, 0
	var skipped, nested []string
	skip := func(list *[]string, p pointer) {
		if !seen[p.text()] {
			seen[p.text()] = true
			*list = append(*list, p.text())
		}
	}
	var key string
	for _, f := range rows {
		for _, row := range f.list {
			total++
			if at := codeIn(row, f.code, false); at != nil && key == "" {
				key = columnOf(at)
			}
			walk(nil, row, func(p pointer, raw json.RawMessage) {
				name := columnOf(p)
				switch {
				case isObject(raw):
				case isList(raw):
					skip(&nested, p)
				case name == "":
					skip(&skipped, p)
				default:
					if count[name]++; count[name] == 1 {
						g.columns = append(g.columns, name)
					}
				}
			})
		}
	}
	g.key = cmp.Or(key, "code")
	if g.answer.Key == "" {
		g.columns = slices.DeleteFunc(g.columns, func(name string) bool { return name == g.key })
	}
	for _, name := range g.columns {
		g.answer.OmitsEmpty = g.answer.OmitsEmpty || count[name] < total
	}
	if g.answer.OmitsEmpty {
		g.ask("有的记录缺少其他记录所有的字段：是否只在没有值时省略（answer.omits_empty）", "some records lack fields that others have: whether they are left out only where there is no value (answer.omits_empty)")
	}
	if len(nested) > 0 {
		g.ask("记录中的列表未列入，如须提供，各为一个数据集："+strings.Join(nested, "、"), "lists within a record are left out; to offer one, make it a dataset of its own: "+strings.Join(nested, ", "))
	}
	if len(skipped) > 0 {
		g.ask("名称不能用作列名的未列入："+strings.Join(skipped, "、"), "left out, since a catalog cannot name them: "+strings.Join(skipped, ", "))
	}
}

// outside calls each for every single value of a document outside the rows, in
// order.
func outside(at pointer, document json.RawMessage, each func(pointer, string, json.RawMessage)) {
	walk(nil, document, func(p pointer, raw json.RawMessage) {
		text, single := scalar(raw)
		inside := len(p) >= len(at) && slices.Equal(p[:len(at)], at)
		if single && raw[0] != 'n' && !inside {
			each(p, text, raw)
		}
	})
}

// number guesses what says how many rows there are.
func (g *guesser) number(at pointer, with []heard) {
	agrees, more := map[string]int{}, false
	var order []string
	for _, r := range with {
		raw, _ := at.find(r.document)
		if isObject(raw) {
			g.answer.All = true // one record
			return
		}
		n := len(rowsAt(raw))
		outside(at, r.document, func(p pointer, text string, raw json.RawMessage) {
			total, err := strconv.Atoi(text)
			if err != nil || raw[0] == '"' || !aTotal().MatchString(p[len(p)-1]) || total < n {
				return
			}
			if agrees[p.text()]++; agrees[p.text()] == 1 {
				order = append(order, p.text())
			}
			more = more || total > n
		})
	}
	order = slices.DeleteFunc(order, func(text string) bool { return agrees[text] < len(with) })
	if len(order) == 0 {
		g.answer.All = true
		g.ask("应答没有写明行数：一次应答是否总有该企业的全部行（answer.all）", "no answer says how many rows there are: whether one answer always has all rows of an enterprise (answer.all)")
		return
	}
	g.answer.Total = order[0]
	g.ask("行数是否在 "+order[0]+"（answer.total），且为全部各页的行数", "whether "+order[0]+" is the number of rows (answer.total), and of all pages")
	if more && !g.has("page") {
		g.next(at, with)
	}
}

// next guesses where the address of the next page is, since an answer has not all
// rows.
func (g *guesser) next(at pointer, with []heard) {
	for _, r := range with {
		outside(at, r.document, func(p pointer, text string, raw json.RawMessage) {
			if raw[0] == '"' && text != "" && aNext().MatchString(p[len(p)-1]) {
				g.answer.Next = p.text()
			}
		})
	}
}

// day guesses what says of which day the register is.
func (g *guesser) day(at pointer, with []heard) {
	var order []string
	count := map[string]int{}
	for _, r := range with {
		outside(at, r.document, func(p pointer, _ string, raw json.RawMessage) {
			v, err := value(jsonCell(raw), catalog.Field{Type: catalog.TypeDate}, g.form)
			if err == nil && v != nil && anAsOf().MatchString(p[len(p)-1]) {
				if count[p.text()]++; count[p.text()] == 1 {
					order = append(order, p.text())
				}
			}
		})
	}
	for _, text := range order {
		if count[text] == len(with) {
			g.answer.AsOf = text
			g.ask("登记是否截至 "+text+" 所示之日完整（answer.as_of）", "whether the register is complete to the day at "+text+" (answer.as_of)")
			return
		}
	}
}

// sign guesses what every good answer says.
func (g *guesser) sign(at pointer, filled []heard) {
	said := map[string]string{}
	count := map[string]int{}
	var order []string
	for _, r := range filled {
		outside(at, r.document, func(p pointer, text string, _ json.RawMessage) {
			if !aSign().MatchString(p[len(p)-1]) || text == r.code {
				return
			}
			before, known := said[p.text()]
			if !known {
				said[p.text()], order = text, append(order, p.text())
			}
			if !known || before == text {
				count[p.text()]++
			}
		})
	}
	for _, p := range order {
		if count[p] == len(filled) {
			g.answer.OK = Sign{At: p, Is: []string{said[p]}}
			g.ask(fmt.Sprintf("正常的应答是否总在 %s 写 %s（answer.ok）", p, shownSign(said[p])), fmt.Sprintf("whether every good answer has %[2]s at %[1]s (answer.ok)", p, shownSign(said[p])))
			return
		}
	}
}

// shownSign returns a short value as it may be shown: a word of the service and
// none of an enterprise.
func shownSign(text string) string {
	if short := []rune(text); len(short) > 20 {
		return strconv.Quote(string(short[:20])) + "…"
	}
	return strconv.Quote(text)
}

// absence guesses what says that there is no record, by the answer about a code
// that no register has.
func (g *guesser) absence(at pointer, filled []heard, nobody heard) {
	switch {
	case nobody.status == http.StatusBadRequest:
		return // tryNobody says so
	case nobody.status != http.StatusOK:
		g.none(nobody.status)
		return
	}
	raw, ok := at.find(nobody.document)
	if ok && isList(raw) && g.answer.Total != "" {
		return // an empty list, and its number
	}
	signs := map[string]bool{}
	for _, r := range filled {
		outside(at, r.document, func(p pointer, text string, _ json.RawMessage) { signs[p.text()+" "+text] = true })
	}
	if len(at) == 0 { // what is no record is beside it
		at = pointer{""}
	}
	var none Sign
	outside(at, nobody.document, func(p pointer, text string, _ json.RawMessage) {
		if none.At == "" && aSign().MatchString(p[len(p)-1]) && !signs[p.text()+" "+text] {
			none = Sign{At: p.text(), Is: []string{text}}
		}
	})
	if none.At == "" {
		return // tryNobody says so where it is needed
	}
	g.answer.None = none
	g.ask(fmt.Sprintf("%s 为 %s 是否总是表示无记录（answer.none），而不表示出错", none.At, shownSign(none.Is[0])), fmt.Sprintf("whether %[2]s at %[1]s always means that there is no record (answer.none), and never that something failed", none.At, shownSign(none.Is[0])))
}
