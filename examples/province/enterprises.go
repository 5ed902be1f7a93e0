package province

import (
	"fmt"

	"atoll/consensus/consent"
)

// Kind says what an enterprise is meant to show.
type Kind string

// The kinds of enterprises.
const (
	Startup  Kind = "startup"  // young technology firm: patents and R&D, hardly any sales or assets
	Growing  Kind = "growing"  // everything rises
	Stable   Kind = "stable"   // old, large, level
	Troubled Kind = "troubled" // lawsuits, dishonest list, arrears, falling power
	Shell    Kind = "shell"    // sales only on paper: much tax, hardly any electricity or staff
	Partial  Kind = "partial"  // unknown to some agencies
	Repeated Kind = "repeated" // its tax rows repeat because of a faulty join in the source
	Outdated Kind = "outdated" // an agency's rows ended months ago
)

// Enterprise is one enterprise of the province.
type Enterprise struct {
	Subject consent.Subject
	Chinese string
	English string
	Kind    Kind
}

// The main characters, by name. A test checks the outcome of each.
const (
	Jiaoxin  consent.Subject = "uscc:91990200MADEM1073H" // 礁芯微电子, a start-up with patents: the demo's main character
	Jiaolian consent.Subject = "uscc:91990200MADEM19118" // 礁联物联网, growing: revokes its consent
	Laojiao  consent.Subject = "uscc:91990200MADEM2754H" // 老礁机械, stable
	Chenjiao consent.Subject = "uscc:91990400MADEM3458E" // 沉礁显示, in trouble: hits a veto
	Fubiao   consent.Subject = "uscc:91990300MADEM3941Y" // 浮标信息, a shell: fails the check of tax against power
	Yuanshan consent.Subject = "uscc:91990400MADEM4290M" // 远珊研究, known only to the market regulator
	Dielang  consent.Subject = "uscc:91990100MADEM4362Y" // 叠浪数字, whose tax rows repeat 7 to 25 times
	Tuixi    consent.Subject = "uscc:91990100MADEM352XJ" // 退汐光伏, in arrears for seven years
	Beizhi   consent.Subject = "uscc:91990300MADEM25437" // 贝织智能纺织, files by quarter; its credit grade was lowered
	Jiuchao  consent.Subject = "uscc:91990200MADEM4434W" // 旧潮工具, whose social security rows are old
)

// Enterprises returns all enterprises, by ascending subject.
func Enterprises() ([]Enterprise, error) {
	t, err := readTable("data/enterprises.csv")
	if err != nil {
		return nil, err
	}
	var list []Enterprise
	for i, row := range t.Rows {
		subject, _, err := consent.ParseSubject("uscc:" + row[0])
		if err != nil {
			return nil, fmt.Errorf("enterprises.csv line %d: %w", i+2, err)
		}
		list = append(list, Enterprise{Subject: subject, Chinese: row[1], English: row[2], Kind: Kind(row[3])})
	}
	return list, nil
}
