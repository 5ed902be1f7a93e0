package kit

// Renumbered returns the paper of a kit with another next number, and its first
// signed consent under other numbers.
func (k *Kit) Renumbered(next uint64, numbers ...uint64) ([]byte, error) {
	other := *k
	other.Next, other.Signed = next, nil
	for _, n := range numbers {
		other.Signed = append(other.Signed, kept{Number: n, Signed: k.Signed[0].Signed})
	}
	return other.Text()
}
