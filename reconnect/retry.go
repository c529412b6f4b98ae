package reconnect

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/internal/handshake"
	"github.com/wschannel/wschannel/status"
)

// Retryable reports whether connecting again makes sense after err: always,
// except after
//
//   - the end of a WebSocket channel with 1000, whoever closed it, for then its
//     purpose is fulfilled, or with 1008, for the next link would meet the same
//     policy;
//   - a handshake that the server, or a proxy, refused with a status from 400
//     to 499: the request would have to be another one;
//   - a [wschannel.Connect] that could not even be tried, as with a URL that
//     lacks ws:// or wss://: the program is wrong.
//
// A Retry function can make its own exceptions, as for 401 where dial gets a
// fresh token, or for 429, and ask Retryable for the rest.
func Retryable(err error) bool {
	var refused *wschannel.HandshakeError
	if errors.As(err, &refused) && isClientError(refused.StatusCode) || isClientError(proxyStatus(err)) {
		return false
	}
	if _, wrong := errors.AsType[handshake.MisuseError](err); wrong || errors.Is(err, errNoLink) {
		return false
	}
	var end *wschannel.CloseError
	if errors.As(err, &end) {
		return end.Code != status.NormalClosure && end.Code != status.PolicyViolation
	}
	return true
}

func isClientError(statusCode int) bool { return statusCode >= 400 && statusCode <= 499 }

// A GiveUpError is the end of a channel that connects no more: Retry did not
// want it after a failed attempt, or MaxElapsed has passed. It satisfies
// errors.Is(err, streamchannel.ErrClosed), and its end is not clean.
type GiveUpError struct {
	// Attempts is how many attempts there were since New, or since a link was
	// stable.
	Attempts int
	// Err is the error of the last attempt, or the end of the link that came of
	// it. It is nil if the Network did not let the first attempt begin.
	Err error
}

// Error returns the number of attempts and the last error.
func (e *GiveUpError) Error() string {
	attempts := "1 attempt"
	if e.Attempts != 1 {
		attempts = strconv.Itoa(e.Attempts) + " attempts"
	}
	why := "the network is down"
	if e.Err != nil {
		why = strings.TrimPrefix(e.Err.Error(), "wschannel: ")
	}
	return "reconnect: gave up after " + attempts + ": " + why
}

// Unwrap returns Err.
func (e *GiveUpError) Unwrap() error { return e.Err }

// Is reports whether target is streamchannel.ErrClosed.
func (e *GiveUpError) Is(target error) bool { return target == wschannel.ErrClosed }

// Clean returns false, also if Err is the clean end of a link.
func (e *GiveUpError) Clean() bool { return false }

// The registration of 1012 asks for "a randomized delay of 5 - 30s".
const (
	restartDelay  = 5 * time.Second
	restartSpread = 25 * time.Second
)

// longestRetryAfter keeps an answer from putting a client out of action.
const longestRetryAfter = 24 * time.Hour

// asked returns the pause that the server asked for with err: at least delay,
// and a random time up to spread more.
func asked(err error, now time.Time) (delay, spread time.Duration) {
	var refused *wschannel.HandshakeError
	if errors.As(err, &refused) {
		return retryAfter(refused.Header["Retry-After"], now), 0
	}
	var end *wschannel.CloseError
	if errors.As(err, &end) && end.Code == status.ServiceRestart {
		return restartDelay, restartSpread
	}
	return 0, 0
}

// retryAfter reads the header field: seconds, or a date (RFC 9110 §10.2.3). One
// that is neither is taken as absent.
func retryAfter(field []string, now time.Time) time.Duration {
	if len(field) == 0 {
		return 0
	}
	value := strings.TrimSpace(field[0])
	if date, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", value); err == nil {
		return min(max(date.Sub(now), 0), longestRetryAfter)
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	if errors.Is(err, strconv.ErrRange) || seconds > uint64(longestRetryAfter/time.Second) {
		return longestRetryAfter
	}
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
