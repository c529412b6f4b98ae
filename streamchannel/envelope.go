package streamchannel

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// An Envelope is what a [Mux] sends and receives: a message of one of its
// channels, or the close of one.
//
// Its JSON is the wire format of the MultiChannel of Dart's package
// stream_channel: [ID, Message], or [ID] for a close. An ID may come as any
// number that is whole, such as 1.0. The options of [JSON] do not reach inside
// of the message.
type Envelope[T any] struct {
	ID      uint64 // of the channel, as its sender counts; less than 1<<53
	Close   bool   // closes the channel
	Message T      // not used in a close
}

// maxID is the largest id: what a float64, and so JavaScript, holds exactly.
const maxID = 1<<53 - 1

// MarshalJSON returns [ID, Message] or [ID].
func (e Envelope[T]) MarshalJSON() ([]byte, error) {
	b := strconv.AppendUint([]byte{'['}, e.ID, 10)
	if !e.Close {
		m, err := json.Marshal(e.Message)
		if err != nil {
			return nil, err
		}
		b = append(append(b, ','), m...)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON takes [ID, Message] or [ID].
func (e *Envelope[T]) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 1 && len(parts) != 2 {
		return fmt.Errorf("envelope has %d elements, want an id and perhaps a message", len(parts))
	}
	id, err := parseID(string(parts[0]))
	if err != nil {
		return err
	}
	*e = Envelope[T]{ID: id, Close: len(parts) == 1}
	if e.Close {
		return nil
	}
	return json.Unmarshal(parts[1], &e.Message)
}

func parseID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		f, notNumber := strconv.ParseFloat(s, 64)
		if notNumber != nil || f != math.Trunc(f) || f < 0 || f > maxID {
			return 0, fmt.Errorf("envelope id is %.40s, want a whole number from 0 to 1<<53-1", s)
		}
		id = uint64(f)
	}
	if id > maxID {
		return 0, fmt.Errorf("envelope id is %d, want at most 1<<53-1", id)
	}
	return id, nil
}

// CompactEnvelopes returns an encoding of envelopes that is smaller and faster
// than JSON, for messages that are bytes: an unsigned varint (that of package
// encoding/binary), which is the ID times 2, plus 1 for a close; then the message
// as it stands. Both ends must use it.
func CompactEnvelopes() Codec[[]byte, Envelope[[]byte], Envelope[[]byte]] {
	return Codec[[]byte, Envelope[[]byte], Envelope[[]byte]]{Decode: decodeCompact, Encode: encodeCompact}
}

func encodeCompact(e Envelope[[]byte]) ([]byte, error) {
	if e.ID > maxID {
		return nil, errors.New("envelope id is larger than 1<<53-1")
	}
	if e.Close {
		return binary.AppendUvarint(nil, e.ID<<1|1), nil
	}
	b := make([]byte, 0, binary.MaxVarintLen64+len(e.Message))
	return append(binary.AppendUvarint(b, e.ID<<1), e.Message...), nil
}

func decodeCompact(b []byte) (e Envelope[[]byte], err error) {
	head, n := binary.Uvarint(b)
	e.ID, e.Close = head>>1, head&1 == 1
	switch {
	case n <= 0 || e.ID > maxID:
		return Envelope[[]byte]{}, errors.New("envelope does not begin with an id")
	case n > 1 && b[n-1] == 0:
		return Envelope[[]byte]{}, errors.New("envelope id is longer than it need be")
	case e.Close && n != len(b):
		return Envelope[[]byte]{}, errors.New("envelope has a message behind a close")
	case !e.Close:
		e.Message = append([]byte{}, b[n:]...)
	}
	return e, nil
}
