package status_test

import (
	"fmt"

	"github.com/wschannel/wschannel/status"
)

func ExampleCode_String() {
	fmt.Println(status.GoingAway)
	fmt.Println(status.Code(4123))
	// Output:
	// 1001 going away
	// 4123
}

func ExampleCode_Valid() {
	fmt.Println(status.GoingAway.Valid())
	fmt.Println(status.AbnormalClosure.Valid()) // tells of a lost connection, is never sent
	// Output:
	// true
	// false
}

// An application names its own codes in the private range.
func Example_private() {
	const SessionExpired = status.PrivateMin + 1

	fmt.Println(SessionExpired, SessionExpired.Valid())
	// Output:
	// 4001 true
}
