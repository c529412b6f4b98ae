package channeltest

import "sync"

// The rules about how a channel ends.

func ruleBeforeEnd(t *proof) {
	for _, ch := range []Channel{t.near, t.far} {
		if err := ch.Err(); err != nil {
			t.Errorf("Err before the end: %v", err)
		}
		if done := ch.Done(); done != ch.Done() {
			t.Error("Done is not always the same")
		}
		select {
		case <-ch.Done():
			t.Error("Done is closed before the end")
		default:
		}
	}
}

func ruleAfterEnd(t *proof) {
	done := []<-chan struct{}{t.near.Done(), t.far.Done()}
	t.close(t.far)
	for i, ch := range []Channel{t.near, t.far} {
		end := t.over(ch)
		if ch.Done() != done[i] {
			t.Error("Done is not always the same")
		}
		for range 3 {
			if err := ch.Err(); err != end {
				t.Errorf("Err: %v, then %v", end, err)
			}
			if err := ch.Send(t.ctx, nil); err != end {
				t.Errorf("Send: %v, want %v", err, end)
			}
			if _, err := ch.Receive(t.ctx); err != end {
				t.Errorf("Receive: %v, want %v", err, end)
			}
			t.close(ch)
		}
	}
}

// Whoever waits at the far end when closer closes.
func ruleWaitingCalls(t *proof, closer Channel) {
	sent := make(chan error, 1)
	t.background.Go(func() {
		_, err := t.fill(t.ctx, t.far)
		sent <- err
	})
	received := t.goReceive(t.ctx, t.far)
	t.settle()
	t.close(closer)
	t.isEnd((<-received).err)
	if err := <-sent; err != nil {
		t.isEnd(err)
	}
	end := t.over(t.far)
	if err := t.far.Send(t.ctx, []byte("x")); err != end {
		t.Errorf("Send: %v, want %v", err, end)
	}
}

func ruleCloseAnywhere(t *proof) {
	var all sync.WaitGroup
	for _, ch := range []Channel{t.near, t.far} {
		all.Go(func() {
			for range window {
				if err := ch.Send(t.ctx, []byte("x")); err != nil {
					t.isEnd(err)
					return
				}
			}
		})
		all.Go(func() {
			for {
				if _, err := ch.Receive(t.ctx); err != nil {
					t.isEnd(err)
					return
				}
			}
		})
		for range 4 {
			all.Go(func() {
				sometime(100)
				ch.Close() // may say that the other end, which closes too, did not let it finish
			})
		}
	}
	all.Wait()
	for _, ch := range []Channel{t.near, t.far} {
		t.over(ch)
		t.close(ch)
		t.end(ch)
	}
}

func ruleCloseWaitsForNobody(t *proof) {
	for _, ch := range []Channel{t.near, t.far} {
		t.background.Go(func() { t.fill(t.ctx, ch) })
	}
	t.settle()
	t.close(t.far)
	t.over(t.far)
}
