package main

import (
	"hash/fnv"
	"net/url"
	"strings"
	"syscall/js"
	"time"
	"unicode/utf8"

	"github.com/wschannel/wschannel/reconnect"
)

var document = js.Global().Get("document")

// A page is what the visitor sees. All that people have written is put into it
// as text, never as HTML.
type page struct {
	room   string
	me     string
	posted chan string // what the visitor says

	last    event               // the latest of the messages that are shown
	pending []pending           // what is shown before the server has told of it
	byID    map[string]js.Value // elements of the page
}

type pending struct {
	post
	element js.Value
}

func openPage() *page {
	p := &page{posted: make(chan string, 1), byID: map[string]js.Value{}}
	location := js.Global().Get("location")
	p.room = strings.Trim(location.Get("pathname").String(), "/")
	document.Set("title", "#"+p.room+" · chat")
	p.element("name").Set("maxLength", maxName)
	p.element("text").Set("maxLength", maxText)
	p.setText("room", p.room)
	p.setText("door-room", "#"+p.room)
	p.setText("command", "go run ./cmd/wschannel \\\n  connect -protocol "+linesProtocol+" \\\n  "+origin()+"/"+p.room)
	return p
}

// origin returns where the page's server is, for channels.
func origin() string {
	location := js.Global().Get("location")
	return strings.Replace(location.Get("origin").String(), "http", "ws", 1)
}

func (p *page) channelURL(name, tab string) string {
	return origin() + "/" + p.room + "?" + url.Values{"name": {name}, "tab": {tab}}.Encode()
}

// askName waits for the visitor to join, and begins to take what is said. A name
// in the page's URL, ?name=ada, joins at once.
func (p *page) askName() string {
	name, input := make(chan string, 1), p.element("name")
	stored := js.Global().Get("sessionStorage")
	query, _ := url.ParseQuery(strings.TrimPrefix(js.Global().Get("location").Get("search").String(), "?"))
	if given := query.Get("name"); given != "" {
		name <- given
	} else {
		if old := stored.Call("getItem", "name"); !old.IsNull() {
			input.Set("value", old)
		}
		p.setText("door-text", "How shall the others call you?")
		p.setState("door")
		input.Call("focus")
	}
	onSubmit(p.element("join"), func() {
		s := strings.TrimSpace(input.Get("value").String())
		if s == "" {
			return
		}
		select {
		case name <- s:
		default: // joining already
		}
	})
	text := p.element("text")
	onSubmit(p.element("say"), func() {
		s := strings.TrimSpace(text.Get("value").String())
		if s == "" {
			return
		}
		select {
		case p.posted <- s:
			text.Set("value", "")
		default: // too many wait: it stays where it is
		}
	})
	chosen := <-name
	stored.Call("setItem", "name", chosen)
	p.setState("chat")
	text.Call("focus")
	return chosen
}

// showLink shows what the channel is doing.
func (p *page) showLink(s reconnect.State) {
	words := map[reconnect.Phase]string{
		reconnect.Connecting: "connecting …", reconnect.Open: "connected",
		reconnect.Waiting: "reconnecting …", reconnect.Closed: "disconnected",
	}[s.Phase]
	link, why := p.element("link"), jsonProtocol
	if s.Err != nil {
		why = s.Err.Error()
	}
	link.Set("className", "link "+s.Phase.String())
	link.Set("title", why)
	p.setText("link-text", words)
}

// show shows an event.
func (p *page) show(e event) {
	if e.People != nil {
		defer p.showPeople(e.People)
	}
	switch e.Kind {
	case welcome:
		// What was shown before may have gaps; this has none.
		p.me, p.last = e.Name, event{}
		p.element("messages").Call("replaceChildren")
		for _, old := range e.Recent {
			p.show(old)
		}
		for i := range p.pending {
			p.pending[i].element = p.append(event{Kind: said, Name: p.me, Text: p.pending[i].Text}, true)
		}
		if len(e.People) == 1 {
			p.note("Nobody else is here yet. Open this page in a second tab!")
		}
	case joined:
		p.note(e.Name + " has joined")
	case left:
		p.note(e.Name + " has left")
	case said:
		for i, m := range p.pending {
			if m.ID == e.ID {
				m.element.Call("remove")
				p.pending = append(p.pending[:i], p.pending[i+1:]...)
				break
			}
		}
		p.append(e, false)
	}
}

// showPending shows what the visitor says before the server has told of it.
func (p *page) showPending(m post) {
	p.pending = append(p.pending, pending{m, p.append(event{Kind: said, Name: p.me, Text: m.Text, ID: m.ID}, true)})
	p.scroll(true)
}

func (p *page) append(e event, pending bool) js.Value {
	class := "message"
	mine := e.Name == p.me
	if mine {
		class += " mine"
	}
	first := p.last.Kind != said || p.last.Name != e.Name || e.Time.Sub(p.last.Time) > 5*time.Minute
	if first {
		class += " first"
	}
	if pending {
		class += " pending"
	} else {
		p.last = e
	}
	m := element("article", class, "")
	if !mine && first {
		m.Call("append", face(e.Name), element("span", "name", e.Name))
	}
	body := element("p", "", e.Text)
	body.Set("dir", "auto")
	if !pending {
		body.Call("append", element("time", "", e.Time.Local().Format("15:04")))
	}
	m.Call("append", body)
	p.add(m)
	return m
}

func (p *page) note(text string) {
	p.last = event{}
	p.add(element("p", "note", text))
}

// add adds what is new at the end, and keeps the end in sight for who has not
// scrolled away from it.
func (p *page) add(e js.Value) {
	box := p.element("scroll")
	atEnd := box.Get("scrollHeight").Float()-box.Get("scrollTop").Float()-box.Get("clientHeight").Float() < 80
	p.element("messages").Call("append", e)
	p.scroll(atEnd)
}

func (p *page) scroll(toEnd bool) {
	if toEnd {
		box := p.element("scroll")
		box.Set("scrollTop", box.Get("scrollHeight"))
	}
}

func (p *page) showPeople(names []string) {
	list := p.element("people")
	list.Call("replaceChildren")
	for _, name := range names {
		item := element("li", "", "")
		item.Call("append", face(name), element("span", "", name))
		if name == p.me {
			item.Call("append", element("small", "", "you"))
		}
		list.Call("append", item)
	}
}

// face returns what stands for somebody: the first letter in a colour of the name.
func face(name string) js.Value {
	r, _ := utf8.DecodeRuneInString(name)
	f := element("i", "face", strings.ToUpper(string(r)))
	f.Call("setAttribute", "aria-hidden", "true")
	h := fnv.New32a()
	h.Write([]byte(name))
	f.Get("style").Call("setProperty", "--hue", int(h.Sum32()%360))
	return f
}

func element(tag, class, text string) js.Value {
	e := document.Call("createElement", tag)
	e.Set("className", class)
	e.Set("textContent", text)
	return e
}

func (p *page) element(id string) js.Value {
	e, known := p.byID[id]
	if !known {
		e = document.Call("getElementById", id)
		p.byID[id] = e
	}
	return e
}

func (p *page) setText(id, text string) { p.element(id).Set("textContent", text) }

func (p *page) setState(state string) {
	document.Get("documentElement").Get("dataset").Set("state", state)
}

// onSubmit calls f, which must not block, when a form is sent.
func onSubmit(form js.Value, f func()) {
	form.Call("addEventListener", "submit", js.FuncOf(func(_ js.Value, args []js.Value) any {
		args[0].Call("preventDefault")
		f()
		return nil
	}))
}
