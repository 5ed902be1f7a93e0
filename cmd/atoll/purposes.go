package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
)

// defaultPurposes are those of a network that names no others, with their
// terms of the W3C Data Privacy Vocabulary.
var defaultPurposes = []consent.Purpose{
	{Code: "in_loan", Chinese: "贷中管理", English: "Management of a loan", DPV: "sector-finance:CreditLimitDetermination", MaxDays: 1096, MaxUses: 240, MaxDataLife: 1096},
	{Code: "post_loan", Chinese: "贷后监测", English: "Monitoring after a loan", DPV: "sector-finance:InstabilityRiskAssessment", MaxDays: 1096, MaxUses: 240, MaxDataLife: 1096},
	{Code: "pre_loan", Chinese: "贷前调查", English: "Assessment before a loan", DPV: "sector-finance:CreditScoreEvaluation", MaxDays: 366, MaxUses: 24, MaxDataLife: 1096},
}

// What a consent for a purpose may last, in days and uses, where its file says
// nothing: the narrowest of the purposes above.
const (
	purposeDays     = 366
	purposeUses     = 24
	purposeDataLife = 1096
)

// purposesFile is a file of purposes: YAML. Unknown keys are errors.
type purposesFile struct {
	Purposes []struct {
		Code     string  `yaml:"code"`
		Chinese  string  `yaml:"zh"`
		English  string  `yaml:"en"`
		DPV      string  `yaml:"dpv,omitempty"`
		Days     *uint32 `yaml:"max_days,omitempty"`
		Uses     *uint32 `yaml:"max_uses,omitempty"`
		DataLife *uint32 `yaml:"max_data_life,omitempty"`
	} `yaml:"purposes"`
}

// readPurposes reads a file of purposes, and returns them by code.
func readPurposes(path string) ([]consent.Purpose, error) {
	text, err := cli.ReadText(path, maxConfig)
	if err != nil {
		return nil, err
	}
	var f purposesFile
	if err := decodeYAML(path, text, &f); err != nil {
		return nil, err
	}
	if len(f.Purposes) == 0 {
		return nil, cli.Errorf(errConfig, "%s：没有任何用途（purposes 之下每项须有 code、zh、en）", "%s: there is no purpose in it (purposes: each with code, zh, en)", path)
	}
	or := func(n *uint32, otherwise uint32) uint32 {
		if n == nil {
			return otherwise
		}
		return *n
	}
	var list []consent.Purpose
	for i := range f.Purposes {
		in := &f.Purposes[i]
		p := consent.Purpose{
			Code: in.Code, Chinese: in.Chinese, English: in.English, DPV: in.DPV,
			MaxDays: or(in.Days, purposeDays), MaxUses: or(in.Uses, purposeUses), MaxDataLife: or(in.DataLife, purposeDataLife),
		}
		if err := checkPurpose(path, i+1, &p); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(q consent.Purpose) bool { return q.Code == p.Code }) {
			return nil, cli.Errorf(errConfig, "%s：用途 %s 重复", "%s: purpose %s is there twice", path, p.Code)
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b consent.Purpose) int { return cmp.Compare(a.Code, b.Code) })
	return list, nil
}

// checkPurpose says what is wrong with a purpose of a file, the number-th in it.
func checkPurpose(path string, number int, p *consent.Purpose) error {
	fail := func(chinese, english cli.Words, args ...any) error {
		what := cli.Errorf(nil, chinese, english, args...)
		return cli.Errorf(errConfig, "%s：第 %d 个用途：%v", "%s: purpose number %d: %v", path, number, what)
	}
	switch {
	case !consent.ValidItem(p.Code):
		return fail("code %.60q 须为 1 至 64 个 a-z、0-9 和 _", "code %.60q is not 1 to 64 of a-z, 0-9 and _", p.Code)
	case !consent.ValidText(p.Chinese) || !consent.ValidText(p.English) || !consent.Even(p.Chinese) || !consent.Even(p.English):
		return fail("%s 须有 zh 和 en 两个名称，且不得有连续或末尾的空格", "%s needs a title in zh and one in en, without blanks in a row or at an end", p.Code)
	case p.DPV != "" && !consent.ValidText(p.DPV):
		return fail("%s 的 dpv 写法有误", "the dpv of %s is not written as a term", p.Code)
	case p.MaxDays == 0 || p.MaxDays > consent.MaxDays:
		return fail("%s 的 max_days 须为 1 至 %d", "max_days of %s is 1 to %d", p.Code, consent.MaxDays)
	case p.MaxUses == 0 || p.MaxUses > consent.MaxUses:
		return fail("%s 的 max_uses 须为 1 至 %d", "max_uses of %s is 1 to %d", p.Code, consent.MaxUses)
	case p.MaxDataLife == 0 || p.MaxDataLife > consent.MaxDataLife:
		return fail("%s 的 max_data_life 须为 1 至 %d", "max_data_life of %s is 1 to %d", p.Code, consent.MaxDataLife)
	}
	return p.Check()
}

// knowsPurpose refuses a purpose that the network does not have, and names those
// that it has.
func knowsPurpose(purposes []consent.Purpose, code string) error {
	var zh, en []string
	for _, p := range purposes {
		if p.Code == code {
			return nil
		}
		zh, en = append(zh, fmt.Sprintf("%s（%s）", p.Code, p.Chinese)), append(en, fmt.Sprintf("%s (%s)", p.Code, p.English))
	}
	return cli.Usage("本网络没有用途 %.60q；有：%[2]s", "this network has no purpose %.60[1]q; it has %[3]s", code, strings.Join(zh, "、"), strings.Join(en, ", ")).
		With("选用其中之一", "choose one of them")
}
