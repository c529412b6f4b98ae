//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tls13Pipe returns the two ends of a TLS connection in memory, and what is under
// that of the client, before the handshake.
func tls13Pipe(keyLog *bytes.Buffer) (client, server *tls.Conn, under net.Conn) {
	a, b := net.Pipe()
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	if keyLog != nil {
		config.KeyLogWriter = keyLog
	}
	// Tickets would be written by the server's handshake, which a pipe blocks.
	serving := &tls.Config{Certificates: []tls.Certificate{testCertificate()}, SessionTicketsDisabled: true}
	return tls.Client(a, config), tls.Server(b, serving), a
}

// New on a TLS connection whose handshake has yet to be done: waking whoever
// reads must not break the handshake for good.
func TestNewBeforeTheTLSHandshake(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		near, far, _ := tls13Pipe(nil)
		if role == RoleServer {
			near, far = far, near
		}
		c := newOn(t, near, role, nil)
		if c.Underlying() != near {
			t.Errorf("Underlying: %v, want the connection that was given", c.Underlying())
		}
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := c.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Receive: %v", err)
			}
			cancel()
			time.Sleep(time.Second) // it is attended to
		}
		d := newOn(t, far, RoleClient+RoleServer-role, nil)
		sent := async(func() error { return c.SendText(t.Context(), "hello") })
		wantMessage(t, d, "hello")
		if err := <-sent; err != nil {
			t.Error(err)
		}
		mustSend(t, d, "and back")
		wantMessage(t, c, "and back")
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A peer that leaves in the TLS handshake, which the first write does: that end
// must not be taken for the end of a message.
func TestPeerLeavesInTheTLSHandshake(t *testing.T) {
	shaking := func(t *testing.T) *Channel {
		near, far := net.Pipe()
		go func() {
			var head [5]byte // of the only record of the ClientHello
			io.ReadFull(far, head[:])
			io.CopyN(io.Discard, far, int64(binary.BigEndian.Uint16(head[3:])))
			far.Close()
		}()
		return newOn(t, tls.Client(near, &tls.Config{InsecureSkipVerify: true}), RoleClient, nil)
	}
	synctest.Test(t, func(t *testing.T) {
		c := shaking(t)
		if err := c.SendText(t.Context(), "hello"); err == nil || err != c.Err() || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Send: %v, Err: %v", err, c.Err())
		}
		if err := shaking(t).Close(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Close: %v", err)
		}
	})
}

// A wrappedTLS is a connection of which it cannot be seen that it is TLS. It
// cancels a context when a write is about to begin.
type wrappedTLS struct {
	net.Conn
	cancel context.CancelFunc
}

func (c *wrappedTLS) SetWriteDeadline(at time.Time) error {
	err := c.Conn.SetWriteDeadline(at)
	if c.cancel != nil && !at.IsZero() {
		c.cancel()
	}
	return err
}

// A peer may ask for new keys at any time, and the answer is written by whoever
// reads (RFC 8446 §4.6.3). The deadline of a write that is long done must not
// be in its way, nor that of one which was withdrawn.
func TestTLSKeyUpdateAfterAWrite(t *testing.T) {
	for _, tt := range []struct {
		name      string
		wrapped   bool
		withdrawn bool
	}{
		{"done", false, false},
		{"done, wrapped", true, false},
		{"withdrawn", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testTLSKeyUpdate(t, tt.wrapped, tt.withdrawn) })
		})
	}
}

func testTLSKeyUpdate(t *testing.T, wrapped, withdrawn bool) {
	var keyLog bytes.Buffer
	client, server, under := tls13Pipe(&keyLog)
	shaken := async(server.Handshake)
	if err := errors.Join(client.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	var conn net.Conn = server
	wrapper := &wrappedTLS{Conn: server}
	if wrapped {
		conn = wrapper
	}
	c := newOn(t, conn, RoleServer, nil)
	p := newPeer(t, client, RoleClient)

	if withdrawn {
		ctx, cancel := context.WithCancel(t.Context())
		wrapper.cancel = cancel
		if err := c.SendText(ctx, "withdrawn"); err != context.Canceled {
			t.Fatal(err)
		}
		wrapper.cancel = nil
	} else {
		sent := async(func() error { return c.SendText(t.Context(), "one") })
		p.expect(textFrame, "one")
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Minute / 4) // past the deadline, before a ping

	received := async(func() error { return receiveError(c) })
	update := keyUpdate(t, keyLog.String())
	wrote := async(func() error { _, err := under.Write(update); return err })
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	sent := async(func() error { return c.SendText(t.Context(), "two") })
	p.expect(textFrame, "two")
	if err := <-sent; err != nil {
		t.Error(err)
	}
	under.Close()
	<-received
}

// The answer to a key update has no deadline, and may wait for the peer for
// ever: hanging up breaks it off.
func TestCloseNowBesideAKeyUpdate(t *testing.T) {
	for _, wrapped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var keyLog bytes.Buffer
			client, server, under := tls13Pipe(&keyLog)
			shaken := async(server.Handshake)
			if err := errors.Join(client.Handshake(), <-shaken); err != nil {
				t.Fatal(err)
			}
			var conn net.Conn = server
			if wrapped {
				conn = &wrappedTLS{Conn: server}
			}
			c := newOn(t, conn, RoleServer, nil)
			received := async(func() error { return receiveError(c) })
			if _, err := under.Write(keyUpdate(t, keyLog.String())); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			c.CloseNow()
			if err := <-received; !errors.Is(err, ErrLocalClose) {
				t.Errorf("Receive: %v", err)
			}
			under.Close()
		})
	}
}

// keyUpdate returns the first record of a client after its handshake: the
// wish for a key update. Package crypto/tls has no way to send one.
func keyUpdate(t *testing.T, keyLog string) []byte {
	t.Helper()
	_, line, _ := strings.Cut(keyLog, "CLIENT_TRAFFIC_SECRET_0 ")
	fields := strings.Fields(line)
	secret, err := hex.DecodeString(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	if len(secret) != sha256.Size {
		t.Fatalf("a secret of %d bytes: another cipher suite than TLS_AES_128_GCM_SHA256", len(secret))
	}
	expand := func(label string, n int) []byte { // RFC 8446 §7.1
		info := binary.BigEndian.AppendUint16(nil, uint16(n))
		info = append(append(info, byte(len("tls13 "+label))), "tls13 "+label...)
		out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	block, err := aes.NewCipher(expand("key", 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	const handshake, updateRequested = 22, 1
	plain := []byte{24, 0, 0, 1, updateRequested, handshake}
	head := []byte{23, 3, 3, 0, byte(len(plain) + aead.Overhead())}
	return aead.Seal(head, expand("iv", 12), plain, head)
}
