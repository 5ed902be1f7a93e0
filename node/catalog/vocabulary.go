package catalog

// vocabulary refuses a formula that decides by a text field without declared
// values, in whatever form, or by a text that is none of the declared values.
// Equality, containment and membership in a list prove nothing about a spelling
// that nobody thought of. A formula that only returns a text may return any.
func (c *checker) vocabulary(at string, where phrase, d *Dataset, o *Output) {
	f := o.compute
	if o.Type == TypeText && len(f.Texts()) == 0 {
		return
	}
	known := map[string]bool{}
	for i := range d.Fields {
		field := &d.Fields[i]
		switch {
		case field.Type != TypeText || !f.Weighs(field.Name):
		case field.Values == nil:
			c.problem(at, "%s: field %s is compared with a text: declare its values, or a spelling that nobody thought of counts as another", where, field.Name)
			return
		default:
			for _, value := range field.Values {
				known[value] = true
			}
		}
	}
	if o.Type == TypeText {
		return
	}
	for _, text := range f.Texts() {
		if !known[text] {
			c.problem(at, "%s: %.60q is none of the values of the fields that the formula reads, nor what one of them stands for", where, text)
		}
	}
}
