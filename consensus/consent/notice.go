package consent

import (
	"strings"
	"text/template"
	"time"
)

// Languages of a notice.
const (
	Chinese = "zh-CN"
	English = "en"
)

// Titles gives the words people use for a member, a purpose, a dataset
// ("agency/dataset") or an output ("agency/dataset.output"); where it returns
// "", the name itself is shown.
type Titles func(name string) string

const noticeChinese = `企业数据授权书

授权主体：{{.Subject}}
被授权银行：{{title .Bank}}
用途：{{title .Purpose}}
产品：{{.Product}}
有效期：{{date .NotBefore}} 至 {{date .NotAfter}}（含首尾两日）
查询次数：最多 {{.MaxUses}} 次{{if .Frequency.Days}}，每 {{.Frequency.Days}} 天最多 {{.Frequency.Uses}} 次{{end}}
{{- if .MaxAlerts}}
监测提醒：最多 {{.MaxAlerts}} 次{{end}}
数据保存：银行取得数据后最多保存 {{.DataLife}} 天，到期删除

授权范围：
{{- range $offer := .Offers}}
· {{title .Agency}}
{{- range .Items}}
  – {{dataset $offer .}}：{{output $offer .}}（{{disclosure .Disclosure}}，{{if .Months}}近 {{.Months}} 个月{{else}}查询当日的状态{{end}}）
{{- end}}
{{- end}}

除上述内容外，任何机构不会提供您的其他数据。每次查询都记入各方共同保存、不可篡改的日志，您可随时查看。
您可随时通过任一成员撤回本授权；撤回后不再提供新的数据，已经提供的不受影响。
`

const noticeEnglish = `Consent to share enterprise data

Subject: {{.Subject}}
Bank: {{title .Bank}}
Purpose: {{title .Purpose}}
Product: {{.Product}}
Valid: {{date .NotBefore}} to {{date .NotAfter}}, both days included
Queries: at most {{.MaxUses}}{{if .Frequency.Days}}, and at most {{.Frequency.Uses}} in {{.Frequency.Days}} days{{end}}
{{- if .MaxAlerts}}
Monitoring messages: at most {{.MaxAlerts}}{{end}}
Kept: the bank may keep the data for {{.DataLife}} days and then deletes it

What may be asked:
{{- range $offer := .Offers}}
- {{title .Agency}}
{{- range .Items}}
  - {{dataset $offer .}}: {{output $offer .}} ({{disclosure .Disclosure}}, {{if .Months}}last {{.Months}} months{{else}}as of the day it is asked{{end}})
{{- end}}
{{- end}}

Nothing else leaves any agency. Every query enters a log that all members keep and nobody can alter; you can read it at any time.
You can take this consent back at any time, through any member. After that no new data is given; what was given before stays given.
`

var disclosureWords = map[string][5]string{
	Chinese: {Value: "数值", Band: "区间", Verify: "仅核验是否符合", Count: "仅数量"},
	English: {Value: "value", Band: "band only", Verify: "yes or no only", Count: "count only"},
}

// Notice renders the draft in the plain words that the signer is shown, in the
// draft's language. The terms carry the digest of this exact text.
func Notice(d Draft, titles Titles) (string, error) {
	text, ok := map[string]string{Chinese: noticeChinese, English: noticeEnglish}[d.Language]
	if !ok {
		return "", malformed("language %q", d.Language)
	}
	title := func(name string) string {
		if t := titles(name); t != "" {
			return t
		}
		return name
	}
	within := func(o Offer, name string) string {
		if t := titles(o.Agency + "/" + name); t != "" {
			return t
		}
		return name
	}
	t, err := template.New("notice").Funcs(template.FuncMap{
		"title":      title,
		"dataset":    func(o Offer, i Item) string { return within(o, i.Dataset) },
		"output":     func(o Offer, i Item) string { return within(o, i.Dataset+"."+i.Output) },
		"disclosure": func(x Disclosure) string { return disclosureWords[d.Language][x] },
		"date":       Day.String,
	}).Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := t.Execute(&out, d); err != nil {
		return "", malformed("notice: %v", err)
	}
	return out.String(), nil
}

// String returns the day as 2006-01-02 (ISO 8601).
func (d Day) String() string {
	return time.Unix(int64(d)*24*60*60, 0).UTC().Format(time.DateOnly)
}
