package reconnect

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"
)

// ErrQueueFull is what Send returns under the policy [Fail], and what OnDrop is
// told under [DropOldest] and [DropNewest].
var ErrQueueFull = errors.New("reconnect: the queue is full")

// Options are what a channel can be told. C is the type of its links, as
// *wschannel.Channel, and S that of the messages which are sent. In each number,
// 0 means the default and a negative value means none. A nil *Options means all
// the defaults.
//
// The functions are called by the channel's own goroutine, one at a time unless
// it says otherwise, and the channel waits for them. They are given what they
// need and should leave the channel alone: what only its goroutine could bring
// about they would wait for in vain, as for room in the queue. To end the
// channel, return an error that Retry refuses.
type Options[C, S any] struct {
	// OnConnect is called with each new link, before anything else is sent on
	// it: the place to authenticate and to subscribe. It has the link for
	// itself, and may receive from it too; when it has returned, the link is
	// the channel's. An error closes the link and counts as a failed attempt.
	// ctx ends with ConnectTimeout and when the channel is closed.
	OnConnect func(ctx context.Context, link C) error

	// Retry says whether to connect again: err is that of the dial function or
	// of OnConnect, or the end of a link. Default: [Retryable].
	Retry func(err error) bool

	// BaseDelay is the longest first pause between two attempts. Default: 1 s.
	BaseDelay time.Duration

	// MaxDelay is the longest of all pauses. Retry-After and the close code
	// 1012 can exceed it. Default: 30 s.
	MaxDelay time.Duration

	// MaxElapsed is for how long the channel tries to get a link that stays
	// open for StableAfter, from New or from the end of the last such link on.
	// It gives up as soon as the next pause would exceed it. Default: none, it
	// never gives up.
	MaxElapsed time.Duration

	// StableAfter is how long a link has to be open for its loss to be followed
	// by a short pause again. Default: 10 s.
	StableAfter time.Duration

	// ConnectTimeout bounds each attempt: the dial function and OnConnect
	// together. Default: 30 s.
	ConnectTimeout time.Duration

	// CloseTimeout is how long Close tries to bring out what was accepted, and
	// waits for the link to close. Default: 5 s.
	CloseTimeout time.Duration

	// QueueLimit is how many messages are kept while no link is open. What
	// OnDoubt returned does not count. Default: 256.
	QueueLimit int

	// WhenFull says what Send does with a message for which the queue has no
	// room. Default: [Block].
	WhenFull Policy

	// OnDrop is called with each message that was accepted and is given up
	// without having been handed to a link, and why: [ErrQueueFull], the end's
	// error, or the error with which a link refused it. A full queue has it
	// called by the goroutine that sends, and so by several at a time.
	OnDrop func(m S, why error)

	// OnDoubt is called when a link has ended with messages in doubt, before
	// the next attempt. What it returns is sent again, before all else in the
	// queue: all of them if they may arrive twice, or those that the peer has
	// not answered. At the end of the channel what it returns goes to OnDrop.
	// Without it nothing is remembered or copied.
	OnDoubt func(Doubt[S]) (again []S)

	// DoubtLimit is how many of the messages that a link took are remembered
	// for OnDoubt. Default: 256.
	DoubtLimit int

	// Jitter returns a random duration from 0 up to limit, which is more than
	// 0. Default: all are equally likely.
	Jitter func(limit time.Duration) time.Duration

	// Network tells whether and when connecting has a chance. Default: in
	// browsers the events online, offline and visibilitychange of the page,
	// elsewhere nothing.
	Network Network
}

// A Policy is what Send does with a message that no link can take and for which
// the queue has no room.
type Policy uint8

// The policies.
const (
	Block      Policy = iota // wait for room, for a link, or for ctx
	Fail                     // refuse the message with ErrQueueFull
	DropOldest               // accept it, and drop the one that has waited longest
	DropNewest               // accept it, and drop it
)

// A Doubt is what became uncertain when a link ended.
type Doubt[S any] struct {
	// Messages are the last messages that the link took, or was taking as it
	// ended, in order; at most DoubtLimit. They belong to the callee.
	Messages []S
	// Forgotten is how many the same link had taken before these. They are as
	// much in doubt; the longer ago, the less likely is it that they were lost.
	Forgotten int
	// Err is the end of the link.
	Err error
}

// settings are Options with their defaults, without what concerns C.
type settings[S any] struct {
	retry          func(error) bool
	baseDelay      time.Duration
	maxDelay       time.Duration
	maxElapsed     time.Duration // 0 means none
	stableAfter    time.Duration
	connectTimeout time.Duration // 0 means none
	closeTimeout   time.Duration // 0 means none
	queueLimit     int
	whenFull       Policy
	onDrop         func(S, error)
	onDoubt        func(Doubt[S]) []S
	doubtLimit     int
	jitter         func(time.Duration) time.Duration
	network        Network
}

func (o *Options[C, S]) settings() settings[S] {
	s := settings[S]{
		retry:          o.Retry,
		baseDelay:      either(o.BaseDelay, time.Second),
		maxDelay:       either(o.MaxDelay, 30*time.Second),
		maxElapsed:     either(o.MaxElapsed, 0),
		stableAfter:    either(o.StableAfter, 10*time.Second),
		connectTimeout: either(o.ConnectTimeout, 30*time.Second),
		closeTimeout:   either(o.CloseTimeout, 5*time.Second),
		queueLimit:     either(o.QueueLimit, 256),
		whenFull:       o.WhenFull,
		onDrop:         o.OnDrop,
		onDoubt:        o.OnDoubt,
		doubtLimit:     either(o.DoubtLimit, 256),
		jitter:         o.Jitter,
		network:        o.Network,
	}
	if s.retry == nil {
		s.retry = Retryable
	}
	if o.MaxDelay < 0 {
		s.maxDelay = math.MaxInt64 / 4 // which can still be doubled
	}
	if s.jitter == nil {
		s.jitter = rand.N[time.Duration]
	}
	if s.network == nil {
		s.network = platformNetwork()
	}
	return s
}

// either returns the default for 0, and 0 for none.
func either[N int | time.Duration](value, byDefault N) N {
	if value == 0 {
		return byDefault
	}
	return max(value, 0)
}
