package emissions

import (
	"context"
	"time"
)

// NewUnavailable returns a Meter that has nothing to read: every Reading is
// Unavailable, with the reason, and no energy.
func NewUnavailable(method, reason string) Meter {
	return unavailable{method, reason}
}

type unavailable struct{ method, reason string }

func (unavailable) Start(context.Context) error { return nil }
func (unavailable) Close() error                { return nil }

func (u unavailable) Read(from, to time.Time) Reading {
	return Reading{Start: from, End: to, Quality: Unavailable, Method: u.method, Reason: u.reason}
}
