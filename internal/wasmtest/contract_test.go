package wasmtest

import (
	"context"
	"testing"
	"time"

	"github.com/wschannel/wschannel/streamchannel/channeltest"
)

// The contract of channels, between two clients that a server joins.
func TestContract(t *testing.T) {
	channeltest.Run(t, func(t *testing.T) (near, far channeltest.Channel) {
		path := "/pair?id=" + newID()
		return breathing{connect(t, path, nil).BinaryChannel()}, breathing{connect(t, path, nil).BinaryChannel()}
	})
}

// A breathing channel is for rules that receive in a loop and cancel it at
// once: in a browser nothing can come while goroutines keep each other busy.
type breathing struct{ channeltest.Channel }

func (c breathing) Receive(ctx context.Context) ([]byte, error) {
	m, err := c.Channel.Receive(ctx)
	if browser && ctx.Err() != nil {
		<-time.After(time.Millisecond)
	}
	return m, err
}
