package kit

import "atoll/consensus/paper"

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

// KeepIndex has a desk keep a file of a member's index, as if it were full.
func (d *Desk) KeepIndex(url, path string, data []byte) { d.index.keep(url+"/"+path, data) }

// Resealed returns the error of opening the content of a kit's paper, whose seed is
// unlocked already, after a change of the paper's parts.
func (k *Kit) Resealed(change func(seed, genesis, sealed []byte)) error {
	text, err := k.Text()
	if err != nil {
		return err
	}
	other := &Kit{wallet: k.wallet}
	if err := paper.ReadInto(text, paper.Kit, &other.shell); err != nil {
		return err
	}
	change(other.Seed, other.Genesis, other.Sealed)
	return other.unseal()
}
