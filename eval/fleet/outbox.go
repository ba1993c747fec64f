package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// send publishes an outcome until the queue has it, and only then acknowledges
// the question. The worker goes on meanwhile.
func (s *shift) send(r result, question jetstream.Msg) {
	s.outbox <- struct{}{}
	s.away.Go(func() {
		defer func() { <-s.outbox }()
		s.deliver(r, question)
	})
}

func (s *shift) deliver(r result, question jetstream.Msg) {
	if question != nil {
		defer s.held.remove(question)
	}
	if !s.publish(r) || question == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_ = question.DoubleAck(ctx) // one that is lost makes the question come again, and the second reply is dropped
}

// publish tries until the queue has the message; false where it is of no use
// to anyone any more. An interrupt does not end it, so that no answer is thrown
// away; the second one ends the program.
func (s *shift) publish(r result) bool {
	data, err := encodeResult(r, int(s.nc.MaxPayload())-headroom)
	if err != nil {
		s.sayOnce(fmt.Sprintf("send what came: %v", err))
		return false
	}
	id := r.Key
	if r.Reply != nil && r.Reply.Failure != nil {
		id += "-" + string(r.Reply.Failure.Kind) // an answer may be taken back
	}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		_, err := s.js.Publish(ctx, replySubject(s.run, s.Name), data, jetstream.WithMsgID(id), jetstream.WithExpectStream(replyStream(s.run)))
		cancel()
		silent := s.silence()
		switch {
		case err == nil:
			return true
		case s.nc.IsClosed(), silent > forgetAfter, silent > absentAfter && errors.Is(err, jetstream.ErrNoStreamResponse):
			return false // the run is over, or will ask again
		}
		s.sayOnce(fmt.Sprintf("send what came: %v; trying again", err))
		time.Sleep(tick / 5)
	}
}

// silence is how long nobody has spoken for the run.
func (s *shift) silence() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.standing, func(st standing) bool { return st.Run == s.run })
	if i < 0 {
		return forgetAfter
	}
	return s.Now().Sub(s.standing[i].seen)
}

// forgetAfter is how long a worker keeps a reply for a coordinator that is
// silent, or cut off.
const forgetAfter = 10 * time.Minute
