package node_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"atoll/consensus/ledger"
	"atoll/node"
	"atoll/node/api"
)

// got is a question that changes nothing, as it was asked.
type got struct{ id, member, path, body string }

// What is asked by GET, or by an operation that only reads, changes neither vault nor log
// nor a file. It is asked as if for the first time: the vault has lost what it had found.
func (c *contract) gets() {
	c.world.Rest()
	asked := c.got
	if len(asked) < 40 {
		c.t.Fatalf("%d questions are asked", len(asked))
	}
	found := map[string]bool{} // an alarm that nobody has kept yet
	for _, g := range asked {
		member := c.world.Member(g.member)
		if !found[g.member] {
			err := member.Watch(func() (list []node.Alarm, err error) {
				if found[g.member] {
					list = append(list, node.Beside(node.AlarmTokens, "damaged", "id", "file", time.Now()))
				}
				return list, nil
			})
			if err != nil {
				c.t.Fatal(err)
			}
			found[g.member] = true
		}
		c.world.Forget(g.member)
		files, size := c.files(g.member), member.Head().Size
		answer, text := c.send(g.id, g.member, g.path, g.body, api.WaitHeader, "10000")
		if answer.StatusCode >= 500 && !slices.Contains(asksOthers, g.id) {
			c.t.Errorf("%s %s: %s %s", g.id, g.path, answer.Status, text)
		}
		for name, was := range c.files(g.member) {
			if files[name] != was {
				c.t.Errorf("%s %s of %s, which answers %s, changes %s", g.id, g.path, g.member, answer.Status, name)
			}
		}
		for i := size; i < member.Head().Size; i++ {
			if kind := c.world.Kind(g.member, i); kind != ledger.KindTick { // time goes on
				c.t.Errorf("%s %s of %s: the log has a %s", g.id, g.path, g.member, kind)
			}
		}
	}
}

// asksOthers are the operations that ask other members: nobody looks after connections
// with them any more.
var asksOthers = []string{api.Offering.ID(), api.Catalog.ID()}

// ofReplica are the files of the log itself, which goes on.
var ofReplica = []string{"raft", "snapshots", "state.db", "cosigned", "final", "settled", "handovers", "scout", "promised", "acknowledged"}

// files returns the files of a member, among them its vault's.
func (c *contract) files(member string) map[string]string {
	c.t.Helper()
	all := map[string]string{}
	for _, dir := range []string{c.world.Dir(member), c.gates[member]} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && slices.Contains(ofReplica, d.Name()) && filepath.Dir(path) == dir {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			all[path] = string(text)
			return err
		})
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if _, ok := all[filepath.Join(c.world.Dir(member), "vault.journal")]; !ok {
		c.t.Fatalf("%s has no vault", member)
	}
	return all
}
