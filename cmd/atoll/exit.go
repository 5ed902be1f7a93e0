package main

import (
	"cmp"
	"errors"
	"os"
	"strings"
	"syscall"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/operators"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/api"
	"atoll/node/problem"
	"atoll/node/source"
	"atoll/node/vault"
)

var (
	errNotFound   = errors.New("not found")
	errPartial    = errors.New("partly unavailable")
	errUnanswered = errors.New("not one output was answered")
	errUntold     = errors.New("not all were told")
	errUnproved   = errors.New("received, not proved")
	errStale      = errors.New("the log shown is old")
	errUnsigned   = errors.New("nothing was signed")
	errUnwritten  = errors.New("done, but a file could not be written")
)

// known maps errors without a stable code to exit code, code and hint. The
// first match counts.
var known = []struct {
	is         error
	exit       int
	code, hint string
}{
	{cli.ErrInterrupted, cli.ExitInterrupted, "interrupted", "run the command again"},
	{errPartial, cli.ExitPartial, "partial", "ask again later: atoll query run --dir DIR --again ID spends no further use"},
	{errUnanswered, cli.ExitPartial, "unanswered", "the profile says why, output by output, and who has to act"},
	{errUntold, cli.ExitPartial, "untold", "what is proved is valid; run the command again for the addresses that are named"},
	{errUnsigned, cli.ExitFailure, "not_signed", "to sign it after all, run the command again and type the word that is asked for"},
	{errUnproved, cli.ExitUnproved, "not_proved", "run the command again: it sends the same statement and asks for the proof; name further members with --via"},
	{subject.ErrNotFinal, cli.ExitUnproved, "not_final", "too few cosigners have signed; try again later, or ask another member"},
	{errUnwritten, cli.ExitPartial, "unwritten", "what was done is valid; see what was printed, and free disk space or choose another path"},
	{errUnremembered, cli.ExitPartial, "unremembered", hintMemory},
	{errStale, cli.ExitUnproved, "log.stale", "check this machine's clock; if it is right ask another member; to look at an old log anyway, raise --max-age (0: no limit)"},
	{errFindings, cli.ExitPartial, "findings", "each finding names its entry and its member: ask that member, and keep the log as evidence"},
	{errAmiss, cli.ExitPartial, "amiss", "correct what is listed, and check again"},
	{errOtherLog, cli.ExitConflict, "export.other", "nothing was written: choose another folder for this log"},
	{audit.ErrTampered, cli.ExitTampered, "log.tampered", "keep the log as it is and compare its root with another member's"},
	{audit.ErrIncomplete, cli.ExitUnavailable, "log.incomplete", "copy the log again, or ask another member; nothing shows that what is there is wrong"},
	{audit.ErrUnverifiable, cli.ExitTampered, "log.unverifiable", "check that --log is the address or folder of this network's log"},
	{paper.ErrBeside, cli.ExitRefused, problem.Malformed, "keep the paper alone in the file; what stands before or behind it is signed by nobody"},
	{paper.ErrKind, cli.ExitUsage, problem.Malformed, "give the file that belongs here: its first line says what it is"},
	{subject.ErrShown, cli.ExitRefused, problem.Unverified, "do not sign it; show it to the bank and to the supervisor"},
	{subject.ErrNotice, cli.ExitRefused, "request.notice", "do not sign it: bank and enterprise need programs of one version; if it differs then, show it to the supervisor"},
	{subject.ErrNetwork, cli.ExitRefused, problem.Unverified, "ask for one of this network, or use the folder of that one"},
	{subject.ErrSubject, cli.ExitRefused, string(consent.BadSubject), "sign it in the folder of the enterprise that the request names, or ask the bank for one about this enterprise"},
	{durable.ErrForgotten, cli.ExitFailure, "memory.missing", hintForgotten},
	{node.ErrNote, cli.ExitConfig, "note.damaged", "move it away and start again: what it says is learned anew; a member that then connects to nobody runs atoll member refresh"},
	{errDamaged, cli.ExitConfig, "memory.damaged", hintDamaged},
	{errConfigLine, cli.ExitConfig, "config.invalid", "correct the file at the line named"},
	{errConfig, cli.ExitConfig, "config.invalid", "correct the file named"},
	{errExposed, cli.ExitConfig, "secret.exposed", "run the command shown; replace the key if others may have read it"},
	{errDraftTime, cli.ExitRefused, "genesis.time", "set the clock right, or have the draft made again; if its time is meant, give --dated with the day of the draft"},
	{errOldRoster, cli.ExitRefused, "request.roster", "set the clock right, or have the bank make the request anew"},
	{errRequestDate, cli.ExitRefused, "request.date", "set the clock right, or have the bank make the request anew; if its day is meant, give --dated with it"},
	{errAddress, cli.ExitRefused, "genesis.address", "have that member provide its card again, and draft again"},
	{errRecipient, cli.ExitRefused, "genesis.recipient", "have that member provide its card again, and draft again"},
	{errMismatch, cli.ExitRefused, "genesis.mismatch", "have it drafted again with this folder's card and origin"},
	{errSignature, cli.ExitRefused, "genesis.signature", "have the members named sign this very draft, and give their signatures, each once"},
	{errFingerprint, cli.ExitRefused, "genesis.fingerprint", "have the founder read it again; if it still differs do not sign: somebody changed the draft on the way, or shows each member another"},
	{errApplicant, cli.ExitRefused, "member.fingerprint", "have the newcomer read it again; if it still differs do not add it: somebody changed the paper on the way"},
	{errPolicyOther, cli.ExitRefused, "policy.fingerprint", "have both members read it again, it changes as members join and leave; if it still differs do not join: get the policy anew, from another member (atoll log policy)"},
	{errTaken, cli.ExitRefused, string(ledger.MemberName), "choose a name that was never used in this network, and titles that no other member has"},
	{errPolicySigner, cli.ExitRefused, "policy.signer", "have a member give you the network's policy (atoll log policy): that of an export names one member alone"},
	{errPolicyOld, cli.ExitRefused, "policy.old", "have a member give you the policy of today (atoll log policy), and compare its fingerprint by telephone again"},
	{errLeft, cli.ExitRefused, problem.MemberLeft, "names and keys serve once: to come back, the organisation joins anew under another name (atoll join)"},
	{errKnown, cli.ExitConflict, "anchor.known", "nothing was written: start the node; if it still connects to nobody, give the log of a member of today"},
	{errFounded, cli.ExitTampered, "genesis.founded", "do not use it; compare the network's id with other members, and get genesis.pem from one whom you trust"},
	{errNotReady, cli.ExitNotReady, "not_initialised", "do the step that is named first"},
	{errPageBuild, cli.ExitNotReady, "page.build", "get atoll.html from the registrar or a member, and compare its SHA-256; or make it in a clone of the sources with Go"},
	{errUnserved, cli.ExitPartial, "page.unserved", "ask those members whether they serve it: page in their node.yaml"},
	{errPageOther, cli.ExitTampered, "page.other", "do not use it: compare the SHA-256 with the one on paper, and tell the member"},
	{errNotDone, cli.ExitPartial, "not_final", "keep the cosigners named running, and run the same command again"},
	{errLate, cli.ExitUnavailable, problem.Unavailable, "ask another member, or give it longer with --wait"},
	{errSilent, cli.ExitUnavailable, problem.Unavailable, "look into the node's log; restart the node if it hangs"},
	{api.ErrNotRunning, cli.ExitUnavailable, "not_running", "start the node, or look into its log if it does not stay up"},
	{source.ErrNotNobodys, cli.ExitNotFound, "aside.no_row", "list the rows again: the table may have changed"},
	{source.ErrNotAside, cli.ExitNotFound, "aside.not_set", "atoll source aside list shows which rows are"},
	{source.ErrListBusy, cli.ExitLocked, "aside.busy", "run the command again when the other one has ended"},
	{source.ErrEntry, cli.ExitUsage, problem.Usage, ""},
	{vault.ErrInUse, cli.ExitLocked, "locked", "is the node running already? one process at a time uses a folder"},
	{access.ErrInUse, cli.ExitLocked, "locked", "is the node running already? one process at a time uses a folder"},
	{operators.ErrBroken, cli.ExitTampered, problem.OperatorsBroken, "keep copies of its files as evidence, and start the node again: it puts a damaged file aside and goes on; the supervisor should hear of it"},
	{errListen, cli.ExitConfig, "address.taken", "stop what listens there, or change listen, http and api in node.yaml"},
	{errDescriptors, cli.ExitConfig, "descriptors", "raise ulimit -n, or LimitNOFILE= in the unit file, and start again"},
	{node.ErrDiskFull, cli.ExitFailure, "disk.full", hintFull},
	{syscall.ENOSPC, cli.ExitFailure, "disk.full", hintFull},
	{syscall.EDQUOT, cli.ExitFailure, "disk.full", hintFull},
	{syscall.EFBIG, cli.ExitFailure, "disk.full", hintFull},
	{access.ErrUnwritten, cli.ExitFailure, problem.AccessUnrecorded, "make room on the disk, and look into the node's log: nothing is done that cannot be recorded"},
	{errNotFound, cli.ExitNotFound, problem.NotFound, "check the name or id"},
	{os.ErrExist, cli.ExitConflict, "exists", "nothing is overwritten: choose another name, or remove it yourself"},
	{os.ErrNotExist, cli.ExitNotFound, problem.NotFound, "check the path"},
	{os.ErrPermission, cli.ExitFailure, "path.unusable", hintPath},
	{syscall.EROFS, cli.ExitFailure, "path.unusable", hintPath},
	{syscall.ENOTDIR, cli.ExitFailure, "path.unusable", hintPath},
	{syscall.EISDIR, cli.ExitFailure, "path.unusable", hintPath},
	{syscall.ELOOP, cli.ExitFailure, "path.unusable", hintPath},
	{cli.ErrText, cli.ExitConfig, "file.text", "save it as UTF-8, with lines that end in LF or CRLF"},
	{cli.ErrLarge, cli.ExitConfig, "file.large", "check the path: this is probably another file"},
	{cli.ErrUsage, cli.ExitUsage, problem.Usage, ""},
}

const (
	hintForgotten = "put the file itself back if it was moved, never a copy from a backup; if it is lost, see Backup in README"

	hintFull = "make room on the disk, then run the command again"
	hintPath = "check the path, its owner and its rights"
)

// explain maps an error to its exit code and to the texts for people and
// programs.
func explain(err error) (int, *problem.Error) {
	var s *said
	kind := err
	if own, ok := err.(*cli.Error); ok && own.Kind != nil {
		kind = own.Kind // what it wraps besides is no more than its reason
	}
	for _, k := range known {
		if errors.Is(kind, k.is) {
			if errors.As(err, &s) && s.english != "" {
				k.hint = s.english
			}
			return k.exit, &problem.Error{Code: k.code, Message: err.Error(), Hint: k.hint, Retryable: k.exit == cli.ExitUnavailable || k.exit == cli.ExitPartial}
		}
	}
	e := node.Explain(err)
	if errors.As(err, &s) && s.english != "" {
		e.Hint = s.english
	}
	return exitOf(e.Code), e
}

// problemInChinese says a failure of the API in Chinese, with the words that commands have for
// its code.
func problemInChinese(e *problem.Error) (title, detail, hint string) {
	f := failureOf(e)
	title, detail = f.Chinese, f.Chinese
	if f.Partly {
		detail += "（" + e.Message + "）"
	}
	return title, detail, f.Hint.Chinese
}

// failureOf is explain with the Chinese texts. The hint's is a phrase for the
// English one, where that says more than the hint of the code.
func failureOf(err error) *cli.Failure {
	exit, e := explain(err)
	words, ok := sayings[e.Code]
	if !ok {
		words = sayings[problem.Internal]
	}
	f := &cli.Failure{
		Exit: exit, Code: e.Code, Message: e.Message, Chinese: words.what, Partly: true, Hint: cli.Text{Chinese: words.hint, English: e.Hint}, Retryable: e.Retryable,
		ToldJSON: exit == cli.ExitPartial || errors.Is(err, errUnproved), // the JSON document has been printed and reports what is missing
	}
	if own, whole := cli.InWords(e.Hint, consent.Chinese); whole && own != "" {
		f.Hint.Chinese = own
	}
	for _, k := range known {
		f.Partly = f.Partly && err.Error() != k.is.Error()
	}
	var own interface {
		bilingual
		chineseHint() string
	}
	var within bilingual
	switch {
	case errors.As(err, &own):
		f.Chinese, f.Hint.Chinese, f.Partly = own.Chinese(), cmp.Or(own.chineseHint(), f.Hint.Chinese), false
	case errors.As(err, &within):
		f.Chinese, f.Partly = words.what+"（"+strings.Replace(e.Message, within.Error(), within.Chinese(), 1)+"）", false
	}
	return f
}

// exitOf returns the exit code for a stable error code.
func exitOf(code string) int {
	switch code {
	case problem.Usage:
		return cli.ExitUsage
	case string(ledger.CatalogVersion), string(source.BadConfig):
		return cli.ExitConfig
	case problem.NotFound, "consent.unknown", "credential.unknown", "query.unknown", "proposal.unknown", "member.unknown":
		return cli.ExitNotFound
	case problem.Unavailable, problem.NoRoom, problem.NoLeader, problem.NotFinal, problem.TooMany, problem.FoundingWaiting, problem.AccessUnrecorded, problem.RepeatMany, problem.HeldMany, problem.HeldWaiting:
		return cli.ExitUnavailable
	case problem.Passphrase:
		return cli.ExitPassphrase
	case problem.OperatorsBroken:
		return cli.ExitTampered
	case codeNotProved:
		return cli.ExitUnproved
	case problem.HeldOver, "statement.conflict", "credential.exists", "proposal.approved", problem.ProposalOpen, node.AlreadyAcknowledged, node.PendingDecided, problem.TokenExists,
		problem.RepeatOther, problem.RepeatRunning, problem.RepeatUnknown, problem.RepeatNotKept:
		return cli.ExitConflict
	}
	for _, prefix := range []string{"consent.", "query.", "author.", "agency.", "credential.", "statement.", "fragment.", "seal.", "genesis.", "cosigners.", "proposal.", "member.", "voters.", "pending.", "access.", "token.", "held."} {
		if strings.HasPrefix(code, prefix) {
			return cli.ExitRefused
		}
	}
	return cli.ExitFailure
}
