package subject

import (
	"encoding/json"
	"errors"

	"atoll/consensus/ledger"
)

// Submission is what a subject's statement is sent to a member in: the body of
// POST /log/statements, a deterministic CBOR array.
type Submission struct {
	_         struct{} `cbor:",toarray"`
	Statement []byte   // signed by a subject
	Sealed    []byte   // the sealed part of the statement, or empty
	Seen      uint64   // size of the largest final head that the sender knows, 0 for none
}

// Answer is a member's answer to a [Submission]: what the rules said of the
// statement, see [ledger.Answer]. Except for the proof it is one member's word.
type Answer struct {
	Verdict ledger.Verdict `json:"verdict"`
	Index   uint64         `json:"index"` // of the entry, if new or known
	Time    uint64         `json:"time"`  // network time of a new entry, Unix milliseconds
	New     bool           `json:"new"`
	Known   bool           `json:"known"`
	Detail  string         `json:"detail"`  // plain words for the author
	Told    []string       `json:"told"`    // agencies that this member has sent a revocation directly
	Pending bool           `json:"pending"` // the log could not take it yet: this member keeps it and tries again
	Proof   Proof          `json:"proof"`   // of the entry, under a final head; null while there is none
}

// AnswerSchema names the JSON document of an answer.
const AnswerSchema = "atoll.answer/v1"

// maxTold is how many agencies an answer may name.
const maxTold = 64

type answerDocument struct {
	Schema string `json:"schema"`
	Data   Answer `json:"data"`
}

// Text returns the document of an answer.
func (a Answer) Text() ([]byte, error) {
	a.Told = append([]string{}, a.Told...)
	return json.Marshal(answerDocument{AnswerSchema, a})
}

// Why the document of an answer is none.
var (
	ErrNoAnswer = errors.New("its answer is not " + AnswerSchema)
	ErrMuchTold = errors.New("it names more agencies than a network has")
)

// ReadAnswer parses the output of [Answer.Text]. It verifies nothing, and its
// texts are a stranger's: whoever shows them has to clean them first. Errors are
// [ErrNoAnswer] and [ErrMuchTold].
func ReadAnswer(text []byte) (Answer, error) {
	var a answerDocument
	if err := json.Unmarshal(text, &a); err != nil || a.Schema != AnswerSchema {
		return Answer{}, ErrNoAnswer
	}
	if len(a.Data.Told) > maxTold {
		return Answer{}, ErrMuchTold
	}
	return a.Data, nil
}
