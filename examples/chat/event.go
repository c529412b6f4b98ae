package main

import "time"

// The subprotocols. A client that offers none gets the lines.
const (
	jsonProtocol  = "chat.v1.json" // an event is a JSON text, and so is a post
	linesProtocol = "chat.v1"      // an event is a line to read, a line typed is a post
)

// The kinds of events.
const (
	welcome = "welcome" // to who has just joined: Name is theirs, Recent what was said
	joined  = "joined"
	left    = "left"
	said    = "said"
)

// An event is what the server tells the members of a room.
type event struct {
	Kind   string    `json:"kind"`
	Name   string    `json:"name"`
	Room   string    `json:"room,omitempty"`
	People []string  `json:"people,omitempty"` // who is here now; not with said
	Recent []event   `json:"recent,omitempty"`
	ID     string    `json:"id,omitempty"` // of the post that was said
	Text   string    `json:"text,omitempty"`
	Time   time.Time `json:"time"`
}

// A post is what a member says. A client that cannot know whether a post has
// arrived sends it again with the same ID, and it is said once.
type post struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// The limits, in characters.
const (
	maxName = 24
	maxText = 1000
)
