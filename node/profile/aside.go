package profile

import (
	"fmt"

	"atoll/consensus/consent"
)

// Asides lists the datasets in which rows are set aside: rows with an unknown
// owner that the agency has left out of its answers. It writes one line for
// each dataset.
func (s *speaker) Asides(p *Profile) (lines []string) {
	said := map[[2]string]bool{}
	for _, e := range p.Inputs {
		of := [2]string{e.Agency.Name, e.Dataset}
		if e.Aside == 0 || said[of] {
			continue
		}
		said[of] = true
		words := "%s, %s: the agency has set %d rows of unknown owner aside, and answers without them"
		if s.language == consent.Chinese {
			words = "%s（%s）：有 %d 行记录无法识别属于哪个企业，该机构已登记搁置，作答时未计入"
		}
		lines = append(lines, fmt.Sprintf(words, s.Of(e.Agency.Title), clean(e.Dataset), e.Aside))
	}
	return lines
}
