package proto_test

import (
	"fmt"
	"strings"

	"github.com/wschannel/wschannel/internal/proto"
)

// A transport that reads into Space until nothing more comes.
func ExampleReader() {
	received := strings.NewReader("\x89\x02hi" + "\x01\x03Hel" + "\x80\x02lo" + "\x88\x02\x03\xE8")
	r := proto.NewReader(proto.Config{MessageLimit: 1 << 20, FragmentLimit: 100}, make([]byte, 4096))
	for {
		switch ev := r.Next(); ev.Kind {
		case proto.More:
			n, err := received.Read(r.Space())
			if err != nil {
				return
			}
			r.Filled(n)
		case proto.Ping:
			fmt.Printf("ping %q\n", ev.Data)
		case proto.Message:
			fmt.Printf("message %q\n", ev.Data)
		case proto.Close:
			fmt.Println("close", ev.Code)
			return
		}
	}
	// Output:
	// ping "hi"
	// message "Hello"
	// close 1000 normal closure
}
