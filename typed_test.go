//go:build !js

package wschannel

import (
	"errors"
	"testing"

	"github.com/wschannel/wschannel/streamchannel"
	"github.com/wschannel/wschannel/streamchannel/channeltest"
)

// The contract as package channeltest states it. What a WebSocket channel adds
// to it (codes, causes, types) is tested in contract_test.go.
func TestChannelContract(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			channeltest.Run(t, func(t *testing.T) (near, far channeltest.Channel) {
				client, server := channelPair(t, on.connect, nil)
				return client.BinaryChannel(), server.BinaryChannel()
			})
		})
	}
	t.Run("net.Pipe in a bubble", func(t *testing.T) {
		channeltest.RunInBubble(t, func(t *testing.T) (near, far channeltest.Channel) {
			client, server := channelPair(t, netPipe, nil)
			return client.BinaryChannel(), server.BinaryChannel()
		})
	})
}

func TestTypedChannels(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		texts, binaries := c.TextChannel(), c.BinaryChannel()
		go func() {
			texts.Send(t.Context(), "text")
			binaries.Send(t.Context(), []byte("binary"))
		}()
		p.expect(textFrame, "text")
		p.expect(binaryFrame, "binary")
		if err := texts.Send(t.Context(), "\xff"); err != ErrInvalidUTF8 {
			t.Errorf("Send: %v", err)
		}

		go p.conn.Write(append(p.frame(textFrame, "a"), append(p.frame(binaryFrame, "b"),
			append(p.frame(textFrame, "c"), p.frame(binaryFrame, "d")...)...)...))
		if s, err := texts.Receive(t.Context()); s != "a" || err != nil {
			t.Errorf("text: %q, %v", s, err)
		}
		if s, err := texts.Receive(t.Context()); s != "" || !isUnexpectedType(err) {
			t.Errorf("binary as text: %q, %v", s, err)
		}
		if b, err := binaries.Receive(t.Context()); b != nil || !isUnexpectedType(err) {
			t.Errorf("text as binary: %q, %v", b, err)
		}
		if b, err := binaries.Receive(t.Context()); string(b) != "d" || err != nil {
			t.Errorf("binary: %q, %v", b, err)
		}
	})
}

// isUnexpectedType also holds that it is about one message.
func isUnexpectedType(err error) bool {
	_, ok := errors.AsType[*streamchannel.DecodeError](err)
	return ok && errors.Is(err, ErrUnexpectedType) && !errors.Is(err, ErrClosed)
}

// The contract on the channels of a Mux over a WebSocket.
func TestMuxContract(t *testing.T) {
	type envelope = streamchannel.Envelope[[]byte]
	channeltest.RunInBubble(t, func(t *testing.T) (near, far channeltest.Channel) {
		client, server := channelPair(t, netPipe, nil)
		return streamchannel.NewMux(streamchannel.JSON[envelope, envelope](client.TextChannel(), nil), nil).Default(),
			streamchannel.NewMux(streamchannel.JSON[envelope, envelope](server.TextChannel(), nil), nil).Default()
	})
}

// A message of the wrong type does not end a Mux.
func TestMuxUnexpectedType(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		m := streamchannel.NewMux(streamchannel.CompactEnvelopes().Bind(c.BinaryChannel()), nil)
		go p.conn.Write(append(p.frame(textFrame, "x"), p.frame(binaryFrame, "\x00y")...))
		if _, err := m.Default().Receive(t.Context()); !isUnexpectedType(err) {
			t.Errorf("text: %v", err)
		}
		if b, err := m.Default().Receive(t.Context()); string(b) != "y" || err != nil {
			t.Errorf("binary: %q, %v", b, err)
		}
		closed := async(m.Close)
		p.expectClose(1000, "")
		p.sendClose(1000, "")
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
