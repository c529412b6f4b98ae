package reconnect

import "time"

// backoff tells how long to pause after a failure.
type backoff struct {
	base, max  time.Duration
	maxElapsed time.Duration // 0 means none
	jitter     func(time.Duration) time.Duration

	since    time.Time     // New, or the end of the last stable link
	attempts int           // since then
	ceiling  time.Duration // of the last pause since then, 0 if there was none
}

// reset begins anew after a stable link.
func (b *backoff) reset(now time.Time) { b.since, b.attempts, b.ceiling = now, 0, 0 }

// next returns the pause after err, or false when it is time to give up.
func (b *backoff) next(err error, now time.Time) (pause time.Duration, ok bool) {
	if b.ceiling = 2 * b.ceiling; b.ceiling == 0 {
		b.ceiling = b.base
	}
	b.ceiling = min(b.ceiling, b.max)
	pause, spread := asked(err, now)
	if limit := max(b.ceiling, spread); limit > 0 {
		pause += b.jitter(limit)
	}
	return pause, b.maxElapsed == 0 || now.Add(pause).Sub(b.since) <= b.maxElapsed
}

// left returns the time until it is time to give up, if ever.
func (b *backoff) left(now time.Time) (time.Duration, bool) {
	return b.maxElapsed - now.Sub(b.since), b.maxElapsed > 0
}
