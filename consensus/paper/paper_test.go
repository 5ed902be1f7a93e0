package paper

import (
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

// A text that contains anything other than one paper of the kind is refused.
func TestPapersAreAlone(t *testing.T) {
	block := func(kind string, headers map[string]string, content string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: []byte(content)}))
	}
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"one":            {block(Card, nil, "x"), true},
		"a line behind":  {block(Card, nil, "x") + "\n", true},
		"lines before":   {"\n \r\n" + block(Card, nil, "x"), true},
		"words before":   {"Dear bank,\n" + block(Card, nil, "x"), false},
		"a mark before":  {"\ufeff" + block(Card, nil, "x"), true},
		"mark and lines": {"\ufeff\r\n" + block(Card, nil, "x"), true},
		"two marks":      {"\ufeff\ufeff" + block(Card, nil, "x"), false},
		"a mark behind":  {block(Card, nil, "x") + "\ufeff", false},
		"of Windows":     {"\ufeff" + strings.ReplaceAll(block(Card, nil, "x"), "\n", "\r\n"), true},
		"broken before":  {"-----BEGIN ATOLL MEMBER CARD-----\n!\n" + block(Card, nil, "x"), false},
		"two":            {block(Card, nil, "x") + block(Card, nil, "x"), false},
		"another kind":   {block(Draft, nil, "x"), false},
		"with a header":  {block(Card, map[string]string{"A": "b"}, "x"), false},
		"words behind":   {block(Card, nil, "x") + "sincerely", false},
		"nothing at all": {"", false},
	} {
		content, err := Read([]byte(c.text), Card)
		if (err == nil) != c.ok || c.ok && string(content) != "x" || !c.ok && !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
}
