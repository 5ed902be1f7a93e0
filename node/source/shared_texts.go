package source

import (
	"bufio"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strconv"
)

// sharedTexts are the texts of a workbook that its cells refer to by number.
// They are values of the register, so they are kept in a file without a name.
type sharedTexts struct {
	file *os.File // nil where there are none
	ends []int64  // offset of the end of each
}

func (b *workbook) readShared(ctx context.Context, folder string) (*sharedTexts, error) {
	t := &sharedTexts{}
	if b.shared == "" {
		return t, nil
	}
	p, err := b.open(ctx, b.shared, maxStrings)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if t.file, err = nameless(folder); err != nil {
		return nil, unstored(err)
	}
	if err := t.read(p); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *sharedTexts) read(p *xmlPart) error {
	out, size := bufio.NewWriterSize(t.file, bufferSize), int64(0)
	for {
		token, err := p.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "si" || !inSheet(start.Name) {
			continue
		}
		if p.depth != 2 {
			return damaged()
		}
		text, err := p.richText()
		if err != nil {
			return err
		}
		if len(t.ends) == maxShared {
			return tooLargeBook()
		}
		size += int64(len(text))
		t.ends = append(t.ends, size)
		if _, err := out.WriteString(text); err != nil {
			return unstored(err)
		}
	}
	if err := out.Flush(); err != nil {
		return unstored(err)
	}
	return nil
}

// of returns the text with this number.
func (t *sharedTexts) of(number string) (string, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(t.ends) {
		return "", damaged()
	}
	from := int64(0)
	if n > 0 {
		from = t.ends[n-1]
	}
	text := make([]byte, t.ends[n]-from)
	if _, err := t.file.ReadAt(text, from); err != nil && err != io.EOF {
		return "", unstored(err)
	}
	return string(text), nil
}

func (t *sharedTexts) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// nameless creates a file that disappears with the process, or when nothing
// refers to it any more.
func nameless(folder string) (*os.File, error) {
	f, err := os.CreateTemp(folder, ".rows-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// unstored returns why the rows of a workbook cannot be kept, without a path.
func unstored(err error) *Error {
	why := "it cannot be written"
	var p *os.PathError
	if errors.As(err, &p) {
		why = p.Err.Error()
	}
	return &Error{Code: NotReadable, Detail: "the rows of the workbook cannot be kept on disk (" + why + "): make room in the folder of the node"}
}
