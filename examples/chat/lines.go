//go:build !js

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wschannel/wschannel/streamchannel"
)

// lines makes the channel of a terminal of one of texts.
func lines(ch streamchannel.Channel[string, string]) streamchannel.Channel[post, event] {
	return streamchannel.Transform(ch,
		streamchannel.Map(func(line string) (post, error) { return post{Text: line}, nil }),
		streamchannel.Stateful(func() (func(event, func(string)) error, func(func(string))) {
			return func(e event, emit func(string)) error {
				e.lines(emit)
				return nil
			}, nil
		}))
}

// lines tells an event to somebody who reads it.
func (e event) lines(emit func(string)) {
	switch e.Kind {
	case welcome:
		others := slices.DeleteFunc(slices.Clone(e.People), func(name string) bool { return name == e.Name })
		with := "nobody else is here"
		if len(others) > 0 {
			with = "here: " + strings.Join(others, ", ")
		}
		for _, old := range e.Recent {
			old.lines(emit)
		}
		emit(fmt.Sprintf("* you are %s in %s; %s", e.Name, e.Room, with))
	case joined:
		emit("* " + e.Name + " has joined")
	case left:
		emit("* " + e.Name + " has left")
	case said:
		emit(e.Time.Format("15:04 ") + e.Name + ": " + e.Text)
	}
}
