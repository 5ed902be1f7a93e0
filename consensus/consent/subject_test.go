package consent

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

func TestSubjects(t *testing.T) {
	f, err := os.Open("testdata/subjects.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		text, want, ok := strings.Cut(s.Text(), " ")
		if !ok {
			t.Fatalf("line %q", s.Text())
		}
		n++
		_, pilot, err := ParseSubject(text)
		got := "valid"
		switch {
		case err != nil:
			got = "invalid"
			if !errors.Is(err, sign.ErrMalformed) || strings.Contains(err.Error(), text[5:]) {
				t.Errorf("%s: %v", text, err)
			}
		case pilot:
			got = "pilot"
		}
		if got != want {
			t.Errorf("%s is %s, want %s (%v)", text, got, want, err)
		}
	}
	if n == 0 {
		t.Fatal("no vectors")
	}
}

// Any one wrong character in a valid code is detected, and so is any swap of
// two different neighbours.
func TestSubjectTypos(t *testing.T) {
	const code = "uscc:91110000600037341L"
	for i := len("uscc:"); i < len(code); i++ {
		for _, c := range usccDigits {
			typo := code[:i] + string(c) + code[i+1:]
			if _, _, err := ParseSubject(typo); (err == nil) != (typo == code) {
				t.Errorf("%s: %v", typo, err)
			}
		}
		if i+1 < len(code) {
			swapped := code[:i] + code[i+1:i+2] + code[i:i+1] + code[i+2:]
			if _, _, err := ParseSubject(swapped); (err == nil) != (swapped == code) {
				t.Errorf("%s: %v", swapped, err)
			}
		}
	}
}

func FuzzParseSubject(f *testing.F) {
	f.Add("uscc:91110000600037341L")
	f.Add("lei:506700GE1G29325QX363")
	f.Fuzz(func(t *testing.T, text string) {
		s, _, err := ParseSubject(text)
		if err == nil && string(s) != text || err != nil && !errors.Is(err, sign.ErrMalformed) {
			t.Fatalf("%q: %q, %v", text, s, err)
		}
	})
}
