package catalog

import "atoll/consensus/consent"

// Spoils returns the reason why one row alone, whatever other rows its subject
// has, makes an output about the subject invalid, or "". It is the reason that
// [Dataset.Answer] would give when each output is asked for its longest window.
func (d *Dataset) Spoils(r Row, at At) (reason string) {
	rows, problem := d.read([]Row{r})
	if problem != "" {
		return problem
	}
	if d.dated() {
		if _, _, problem = d.time(rows[0], at.Day); problem != "" {
			return problem
		}
	}
	if !d.toCome(rows[0], at.Day) {
		return ""
	}
	for i := range d.Outputs {
		o := &d.Outputs[i]
		w, problem := d.window(rows, o.Months, at, d.takes(o, consent.Value))
		if problem != "" {
			return problem
		}
		if field := d.ahead(w, o, at.Day); field != "" {
			return rowsAhead + ": " + field
		}
	}
	return ""
}

// toCome reports whether any field has a date in the future.
func (d *Dataset) toCome(r Row, today consent.Day) bool {
	for _, v := range r {
		if day, ok := v.(consent.Day); ok && day > today {
			return true
		}
	}
	return false
}
