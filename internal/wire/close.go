package wire

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"github.com/wschannel/wschannel/status"
)

// MaxReason is the longest close reason in bytes of UTF-8: a control frame's
// payload less the two bytes of the code (RFC 6455 §5.5.1).
const MaxReason = MaxControl - 2

// ParseClose parses the body of a received close frame. An empty body is
// [status.NoStatusReceived] (§7.1.5). The reason is a part of b.
func ParseClose(b []byte) (code status.Code, reason []byte, v *Violation) {
	switch {
	case len(b) == 0:
		return status.NoStatusReceived, nil, nil
	case len(b) == 1:
		return 0, nil, broken("5.5.1", "close frame with a body of one byte, a code has two")
	}
	code, reason = status.Code(binary.BigEndian.Uint16(b)), b[2:]
	if !code.Valid() {
		return 0, nil, broken("7.4", "close code "+strconv.Itoa(int(code))+" must not be sent")
	}
	if !utf8.Valid(reason) {
		return 0, nil, &Violation{status.InvalidFramePayloadData, "8.1", "close reason is not valid UTF-8"}
	}
	return code, reason, nil
}

// AppendClose appends the body of a close frame to dst: nothing for
// [status.NoStatusReceived], otherwise the code and the reason. The
// caller has checked both.
func AppendClose(dst []byte, code status.Code, reason string) []byte {
	if code == status.NoStatusReceived {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}
