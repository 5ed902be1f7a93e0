package seal

import "testing"

// What is tried first protects no file. Characters count, not bytes, and digits are
// digits whatever the keyboard makes of them.
func TestCheckPassphrase(t *testing.T) {
	for words, want := range map[string]error{
		"":                      ErrShort,
		"correct h":             ErrShort,
		"正确的马电池订书钉":             ErrShort, // nine characters, 27 bytes
		"correct ho":            nil,
		"正确的马和电池订书钉":            nil,
		"1234567890":            ErrGuessable,
		"１３８００１３８０００":           ErrGuessable,
		"+86 138-0013-8000":     ErrGuessable,
		"2026.12.31 2027.01.01": ErrGuessable,
		"aaaaAAAAaaaa":          ErrGuessable,
		"abcabcabcabcabc":       ErrGuessable,
		"91440300MA5DEM0Q7L":    ErrGuessable,
		"91440300ma5dem0q7l!":   ErrGuessable,
		"password12":            ErrGuessable, "Password123": ErrGuessable, "p@ssw0rd12": ErrGuessable, "1q2w3e4r5t": ErrGuessable,
		"qwerty12345": ErrGuessable, "iloveyou123": ErrGuessable, "admin123456": ErrGuessable, "abcdefghij": ErrGuessable, "1234567890a": ErrGuessable,
		"abcde     ": ErrGuessable, "xkqzv": ErrShort, "abde\u200b\u200b\u200b\u200b\u200b\u200b": ErrGuessable,
		"91440300-MA5DEM0Q7L": ErrGuessable, "91440300MA5DEM0Q7": ErrGuessable, "L7Q0MED5AM00304419": ErrGuessable, "code:91440300MA5DEM0Q7L": ErrGuessable,
		"91440300MA5DEM0Q7L and four other words": nil,
		"correct horse battery":                   nil,
		"🐎🔋📎📌🖇 🐎🔋📎📌🖇":                             nil,
	} {
		if err := CheckPassphrase(words, "91440300MA5DEM0Q7L"); err != want {
			t.Errorf("%q: %v, want %v", words, err, want)
		}
	}
}
