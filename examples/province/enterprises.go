package province

import (
	"slices"
	"strings"

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
	Seasonal Kind = "seasonal" // most of its sales are in a few months of the year
	Dormant  Kind = "dormant"  // returns of zero, hardly any electricity
	Closed   Kind = "closed"   // deregistered or revoked; its rows end there
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
func Enterprises() (list []Enterprise) {
	for _, f := range firms() {
		list = append(list, Enterprise{Subject: consent.Subject("uscc:" + f.code), Chinese: f.chinese, English: f.english, Kind: f.kind})
	}
	slices.SortFunc(list, func(a, b Enterprise) int { return strings.Compare(string(a.Subject), string(b.Subject)) })
	return list
}
