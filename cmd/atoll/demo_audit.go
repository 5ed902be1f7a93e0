package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/crypto/seal"
	"atoll/crypto/tlog"
)

// audited exports the log, verifies and replays it without any key and then
// with the auditor's key, and once more with one byte flipped.
func (d *demo) audited() error {
	auditor := d.net.members["auditor"]
	fetch := func(path string) ([]byte, error) { return fetchLocal(d.net.ctx, d.net.home("auditor"), "log/"+path) }
	if err := auditor.Finalise(d.net.ctx, auditor.Head().Size); err != nil {
		return err
	}
	head, err := export(fetch, d.home, nil)
	if err != nil {
		return err
	}
	if d.result.Final, err = exportPolicy(d.net.ctx, d.net.home("auditor"), d.home, head.Size); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(d.home, "policy"))
	if err != nil {
		return err
	}
	policy, err := tlog.ParsePolicy(text)
	if err != nil {
		return err
	}
	where := filepath.Join(d.home, "log")
	public, _, err := replay(d, where, policy, nil)
	if err != nil {
		return err
	}
	d.result.Size, d.result.Root, d.result.Verdicts = public.Head.Size, public.Head.Root.String(), map[string]int{}
	d.Say("\n审计（只凭导出的日志）：%d 个条目，每个瓦片、根和裁定都重新得出；终局：%d 个共签人中至少 %d 个签署", "\nAudit, from the exported log alone: %d entries, every tile, the root and every verdict recomputed; final, signed by %[3]d of %[2]d cosigners at least", public.Head.Size, len(d.net.genesis.Cosigners), d.net.genesis.Quorum)
	for _, v := range slices.Sorted(maps.Keys(public.Verdicts)) {
		d.result.Verdicts[string(v)] = public.Verdicts[v]
		d.Say("  %-18s %d", "  %-18s %d", v, public.Verdicts[v])
	}
	h, err := openHome(d.net.home(auditor.Name))
	if err != nil {
		return err
	}
	_, found, err := replay(d, where, policy, &h.age)
	if err != nil {
		return err
	}
	d.result.Findings = len(found)
	d.Say("  用审计方的密钥打开密封部分，核对授权、范围、用途和放行：%d 项发现", "  with the auditor's key, what is sealed is opened, and consents, scopes, purposes and releases are checked: %d findings", len(found))
	for _, f := range found {
		chinese, _ := cli.InWords(f.Detail, consent.Chinese)
		d.Say("    条目 %[1]d %[2]s：%[3]s", "    entry %[1]d %[2]s: %[4]s", f.Index, f.Rule, chinese, f.Detail)
	}
	return d.tampered(where, policy)
}

// replay verifies and replays a log; with an identity it also opens what is
// sealed.
func replay(d *demo, where string, policy *tlog.Policy, identity *seal.Identity) (*audit.Summary, []audit.Finding, error) {
	log, err := audit.Load(logAt(d.net.ctx, where), policy)
	if err != nil {
		return nil, nil, err
	}
	var found []audit.Finding
	r := audit.NewReplayer()
	i := audit.NewInspector(r, identity, func(f audit.Finding) { found = append(found, f) })
	err = log.Verify(nil, func(leaf []byte) error {
		e, err := r.Add(leaf)
		if err != nil {
			return err
		}
		return i.Add(e)
	})
	if err == nil {
		err = i.Close()
	}
	return r.Summary(), found, err
}

// tampered flips one byte in a copy of the log and audits the copy.
func (d *demo) tampered(where string, policy *tlog.Policy) error {
	broken := filepath.Join(d.home, "tampered")
	if err := os.CopyFS(broken, os.DirFS(where)); err != nil {
		return err
	}
	defer os.RemoveAll(broken)
	bundles, err := filepath.Glob(filepath.Join(broken, "tile", "entries", "*.p", "*"))
	if err != nil || len(bundles) == 0 {
		return fmt.Errorf("no entry bundle in %s (%v)", broken, err)
	}
	data, err := os.ReadFile(bundles[0])
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(bundles[0], data, 0o644); err != nil {
		return err
	}
	_, _, err = replay(d, broken, policy, nil)
	if !errors.Is(err, audit.ErrTampered) {
		return fmt.Errorf("a flipped byte went unnoticed: %v", err)
	}
	d.result.Tampered = err.Error()
	d.result.Exit, _ = explain(err)
	d.Say("  副本中改动一个字节：%[3]s；退出码 %[2]d", "  one byte flipped in a copy: %[1]v (exit code %[2]d)", err, d.result.Exit, sayings["log.tampered"].what)
	return d.Err()
}
