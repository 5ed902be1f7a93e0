package access

import (
	"encoding/hex"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenInURL finds a token in an address, in any way that it may be encoded. Addresses
// get into logs, histories and other sites' records, so such a token is spoilt.
func tokenInURL(u *url.URL) (text string, in bool) {
	for _, part := range []string{u.Path, u.RawQuery, u.Fragment} {
		if _, rest, found := strings.Cut(strings.ToLower(decoded(part)), TokenPrefix); found {
			end := strings.IndexFunc(rest, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '2' || c > '7') })
			if end < 0 {
				end = len(rest)
			}
			return TokenPrefix + rest[:end], true
		}
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name = decoded(name); name == "access_token" || name == "token" {
			return "", true
		}
	}
	return "", false
}

// decoded returns a text in which nothing is percent-encoded any more, however often it
// was. A percent sign that encodes nothing stays.
func decoded(text string) string {
	out := make([]byte, 0, len(text))
	for i := range len(text) {
		out = append(out, text[i])
		for n := len(out) - 3; n >= 0 && out[n] == '%'; n = len(out) - 3 {
			b, err := hex.DecodeString(string(out[n+1:]))
			if err != nil {
				break
			}
			out = append(out[:n], b[0])
		}
	}
	return string(out)
}

// maxPath is how many bytes of a path are recorded.
const maxPath = 300

// pathOf returns a path without what may name a subject: a client's mistake must not
// put one into the record.
func pathOf(u *url.URL) string {
	parts := strings.Split(u.Path, "/")
	for i, p := range parts {
		for _, scheme := range []string{"uscc:", "lei:", TokenPrefix} {
			if strings.Contains(strings.ToLower(decoded(p)), scheme) {
				parts[i] = scheme + "..."
			}
		}
	}
	plain := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) { // JSON would write it as six characters
			return '?'
		}
		return r
	}, strings.Join(parts, "/"))
	return cut(plain, maxPath)
}

func cut(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
