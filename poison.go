//go:build !race && !js

package wschannel

const poisoning = false

func poison([]byte) {}
