package main

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wschannel/wschannel"
)

// A messageScreen shows messages to a person.
type messageScreen struct {
	out        io.Writer
	palette    palette
	format     atomic.Int32 // a format
	timestamps atomic.Bool
}

// maxShown is how many bytes of a message are shown to a person.
const maxShown = 64 << 10

// show shows a message on a terminal. It gives one write to each, so that a line
// that is being edited is moved once, and below the whole of it.
func (s *messageScreen) show(t wschannel.Type, message io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(message, maxShown))
	more, failed := io.Copy(io.Discard, message)
	if err == nil {
		err = failed
	}
	f := format(s.format.Load())
	var text string
	switch {
	case f == formatHex:
		text = fmt.Sprintf("%x", data)
	case t == wschannel.Binary && f != formatBinary:
		text = s.palette.show(faint, "binary, "+size(len(data)+int(more))) + excerpt(data)
	case f == formatJSON && more == 0 && err == nil:
		text = harmlessLines(string(indentJSON(data)))
	default:
		text = harmlessLines(string(data))
	}
	// Only what the program writes itself stands at the left.
	var b strings.Builder
	margin := "< "
	if s.timestamps.Load() {
		margin = time.Now().Format("15:04:05.000 ") + margin
	}
	b.WriteString(s.palette.show(green, margin))
	b.WriteString(strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", len(margin))))
	b.WriteString("\n")
	if more > 0 {
		fmt.Fprintf(&b, "%s\n", s.palette.show(yellow, "* "+size(int(more))+" more, not shown"))
	}
	if err != nil {
		fmt.Fprintf(&b, "%s\n", s.palette.show(yellow, "* the message was cut off here"))
	}
	if _, failed := io.WriteString(s.out, b.String()); failed != nil {
		return &outputError{failed}
	}
	return err
}

// excerpt returns the beginning of a binary message.
func excerpt(data []byte) string {
	const n = 16
	if len(data) == 0 {
		return ""
	}
	text := fmt.Sprintf(": % x", data[:min(n, len(data))])
	if len(data) > n {
		text += " …"
	}
	return text
}
