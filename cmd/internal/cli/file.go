package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"unicode/utf8"
)

// ErrText means that a file that people write is not readable text: it has
// another encoding than UTF-8, or unknown line ends.
var ErrText = errors.New("not a text file that can be read")

// ErrLarge means that a file is larger than its limit.
var ErrLarge = errors.New("the file is too large")

// ReadFile reads a whole file of at most so many bytes.
func ReadFile(path string, most int64) ([]byte, error) {
	// Opening a pipe that nobody writes to would wait for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = Errorf(ErrLarge, "%s 超过 %d 字节", "%s: longer than %d bytes", path, most)
	}
	return data, err
}

// ReadText reads a whole text file of at most so many bytes. It drops the byte
// order mark that editors write, and turns the line ends of all systems into
// LF. For anything that is not such a text the error is an [ErrText], which
// describes it and quotes nothing.
func ReadText(path string, most int64) ([]byte, error) {
	text, err := ReadFile(path, most)
	if err != nil {
		return nil, err
	}
	if wrong := notText(text); wrong != nil {
		return nil, Errorf(ErrText, "%[1]s %[2]s", "%[1]s %[3]s", path, wrong.Chinese, wrong.English).
			With("用编辑器另存为 UTF-8，行尾为 LF 或 CRLF", "save it as UTF-8, with lines that end in LF or CRLF")
	}
	return bytes.ReplaceAll(bytes.TrimPrefix(text, mark), []byte("\r\n"), []byte("\n")), nil
}

// mark is the byte order mark of UTF-8.
var mark = []byte("\ufeff")

// notText describes why bytes are not such a text; nil if they are. UTF-16
// without a mark is recognised by its zero bytes.
func notText(b []byte) *Text {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")), bytes.IndexByte(b, 0) >= 0:
		return &Text{"是 UTF-16 编码，或不是文本", "is UTF-16, or no text at all"}
	case !utf8.Valid(b):
		return &Text{"不是 UTF-8 编码（可能是 GB 18030，即 ANSI）", "is not UTF-8 (GB 18030, which Windows calls ANSI, perhaps)"}
	case bytes.Contains(bytes.TrimPrefix(b, mark), mark):
		return &Text{"在开头之外还有字节序标记（BOM）", "has a byte order mark (BOM) behind its beginning too"}
	case bytes.Count(b, []byte("\r")) != bytes.Count(b, []byte("\r\n")):
		return &Text{"有行仅以 CR 结尾（旧式 Mac 文本）", "has lines that end in CR alone, as on an old Mac"}
	}
	return nil
}
