package sandbox

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// eventPause keeps a load test from flooding the browser: what arrives meanwhile goes together.
	eventPause = 200 * time.Millisecond
	// eventBeat finds out that a browser is gone.
	eventBeat    = 20 * time.Second
	eventTimeout = 10 * time.Second
)

// serveEvents streams new messages to the page as rendered HTML, so that there is one template for a
// message and the script builds nothing. The id of an event is the sequence number; a browser that
// connects again sends the last one.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	last, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		last, _ = strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	}
	now := s.mailbox.after(last)
	if last > now.sequence {
		// The number is of an earlier run: show all that this one has.
		now = s.mailbox.after(0)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	stream := eventStream{w: w, rc: http.NewResponseController(w)}
	if stream.send(": open\n\n") != nil {
		return
	}
	beat := time.NewTicker(eventBeat)
	defer beat.Stop()
	for clears := now.clears; ; {
		if now.clears != clears {
			clears = now.clears
			if err := stream.send("event: cleared\ndata: -\n\n"); err != nil {
				return
			}
		}
		if err := stream.messages(now); err != nil {
			return
		}
		last = now.sequence
		select {
		case <-now.changed:
			if !s.pause(r.Context(), eventPause) {
				return
			}
		case <-beat.C:
			if stream.send(": still here\n\n") != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.stopped:
			return
		}
		now = s.mailbox.after(last)
	}
}

type eventStream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (e eventStream) messages(g glance) error {
	for i := range g.messages {
		var fragment bytes.Buffer
		if err := pages.ExecuteTemplate(&fragment, "message.html", &g.messages[i]); err != nil {
			return err
		}
		// Carriage returns would end a line of the stream too.
		text := strings.ReplaceAll(fragment.String(), "\r", "")
		event := fmt.Sprintf("event: message\nid: %s\ndata: %s\n\n",
			g.messages[i].ID, strings.ReplaceAll(text, "\n", "\ndata: "))
		if err := e.send(event); err != nil {
			return err
		}
	}
	return nil
}

func (e eventStream) send(text string) error {
	if err := e.rc.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.rc.Flush()
}
