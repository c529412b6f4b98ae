//go:build !js

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wschannel/wschannel/streamchannel"
)

// lines receives posts from a terminal: each line that is typed is one.
func lines(ch streamchannel.Channel[string, string]) streamchannel.Stream[post] {
	return streamchannel.TransformStream(ch, streamchannel.Map(func(line string) (post, error) { return post{Text: line}, nil }))
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
