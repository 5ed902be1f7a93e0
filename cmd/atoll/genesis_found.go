package main

import (
	"errors"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"

	"github.com/spf13/cobra"
)

func foundCommand() *cobra.Command {
	var out, dated string
	cmd := &cobra.Command{
		Use:   "found DRAFT SIGNATURE...",
		Short: cli.Both("将全体成员的签名合成创世文件", "Join the signatures of all members into the founding statement"),
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var g ledger.Genesis
			if err := readInto(args[0], paper.Draft, &g); err != nil {
				return err
			}
			if err := timely(&g, dated); err != nil {
				return err
			}
			s, err := readSignatures(&g, args[1:])
			if err != nil {
				return err
			}
			if err := s.complete(args[0]); err != nil {
				return err
			}
			raw, err := ledger.Found(&g, s.list)
			if err != nil {
				return err
			}
			if err := writePaper(out, paper.Genesis, raw); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.genesis/v1", genesisView(&g, out), "网络已创立：%s\n下一步：每个成员将其放入自己的文件夹，名为 %s，然后启动：atoll run --dir 文件夹",
				"the network is founded: %s\nnext: every member puts it into its folder as %s and starts: atoll run --dir DIR", out, fileGenesis)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", fileGenesis, cli.Both("要写入的文件", "file to write"))
	datedFlag(cmd, &dated)
	return cmd
}

// errSignature means that a file does not contain a signature of this draft.
var errSignature = errors.New("not a signature of this draft")

// signatures are the signatures that were given for a draft.
type signatures struct {
	list            []sign.Signature
	signed, missing []string   // members
	wrong           []cli.Text // files that are no signature of this draft, or that repeat one
}

// readSignatures reads files and determines which member made each signature of
// a draft.
func readSignatures(g *ledger.Genesis, paths []string) (*signatures, error) {
	s, from := new(signatures), map[string]string{}
	for _, path := range paths {
		var one sign.Signature
		if err := readInto(path, paper.Signature, &one); err != nil {
			return nil, err
		}
		name, err := g.SignedBy(one)
		first := from[name]
		switch {
		case errors.Is(err, ledger.ErrOtherGenesis):
			s.amiss("%[1]s：%[2]s 签署的不是这份草案", "%[1]s: %[2]s has signed another draft", path, name)
		case errors.Is(err, ledger.ErrNotFounder):
			s.amiss("%[1]s：草案中没有持有该密钥的成员（密钥 %[2]x）", "%[1]s: no member of the draft has its key (key %[2]x)", path, one.KeyID)
		case err != nil:
			return nil, err
		case first != "":
			s.amiss("%[1]s：%[2]s 的签名已在 %[3]s 中", "%[1]s: the signature of %[2]s is in %[3]s already", path, name, first)
		default:
			from[name], s.list = path, append(s.list, one)
		}
	}
	for i := range g.Members {
		if name := g.Members[i].Name; from[name] != "" {
			s.signed = append(s.signed, name)
		} else {
			s.missing = append(s.missing, name)
		}
	}
	return s, nil
}

func (s *signatures) amiss(chinese, english cli.Words, args ...any) {
	e := cli.Errorf(nil, chinese, english, args...)
	s.wrong = append(s.wrong, e.Text)
}

// complete returns an error that names everything that prevents the founding of
// the draft's network.
func (s *signatures) complete(draft string) error {
	if s.wrong == nil && s.missing == nil {
		return nil
	}
	kind, lines := errNotReady, s.wrong
	if s.wrong != nil {
		kind = errSignature
	}
	if s.missing != nil {
		names := strings.Join(s.missing, " ")
		lines = append(lines, cli.Text{Chinese: "尚未签署此草案的成员：" + names, English: "these have not signed this draft: " + names})
	}
	var zh, en []string
	for _, l := range lines {
		zh, en = append(zh, l.Chinese), append(en, l.English)
	}
	return cli.Errorf(kind, "%[1]s", "%[2]s", strings.Join(zh, "\n"), strings.Join(en, "\n")).
		With("请所列成员各自签署这一份草案：atoll genesis sign --dir 文件夹 %[1]s；再把全体成员的签名各一份交给本命令",
			"have each of those named sign this very draft: atoll genesis sign --dir DIR %[1]s; then give this command the signatures of all members, each once", word(draft))
}
