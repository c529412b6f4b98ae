package deflate

import "math/bits"

const (
	tableBits  = 9  // codes up to this length are looked up at once
	maxCodeLen = 15 // RFC 1951 §3.2.7
	maxLengths = 286
	maxDists   = 30
)

// A huffman decodes one Huffman code of RFC 1951 §3.2.2.
type huffman struct {
	table   [1 << tableBits]uint16 // symbol<<4 | length for the bits that come; 0 if the code is longer
	count   [maxCodeLen + 1]uint16 // codes of each length
	symbols [288]uint16            // in the order of their codes
}

// init builds the code from the lengths of its symbols' codes. It returns false
// unless the code is complete; one without codes and one with a single code of
// one bit are let pass, as senders use them for blocks without distances.
func (h *huffman) init(lengths []uint8) bool {
	h.count = [maxCodeLen + 1]uint16{}
	for _, n := range lengths {
		h.count[n]++
	}
	used := len(lengths) - int(h.count[0])
	h.count[0] = 0
	var next [maxCodeLen + 2]uint16 // where the symbols of a length begin
	var code [maxCodeLen + 1]uint16 // the next code of a length
	left := 1
	for n := 1; n <= maxCodeLen; n++ {
		if left = left<<1 - int(h.count[n]); left < 0 {
			return false
		}
		next[n+1] = next[n] + h.count[n]
		code[n] = (code[n-1] + h.count[n-1]) << 1
	}
	if left > 0 && used > 0 && (used > 1 || h.count[1] != 1) {
		return false
	}
	h.table = [1 << tableBits]uint16{}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbols[next[n]] = uint16(symbol)
		next[n]++
		if n <= tableBits {
			first := int(bits.Reverse16(code[n]) >> (16 - n))
			for i := first; i < len(h.table); i += 1 << n {
				h.table[i] = uint16(symbol)<<4 | uint16(n)
			}
		}
		code[n]++
	}
	return true
}

// find returns the symbol that the first of n bits stand for, and the length of
// its code; 0 if it is longer than n, and more than maxCodeLen if there is none.
func (h *huffman) find(b uint64, n uint) (symbol int, length uint) {
	if e := h.table[b&(1<<tableBits-1)]; e != 0 {
		if length = uint(e & 0xF); length <= n {
			return int(e >> 4), length
		}
		return 0, 0
	}
	code, first, index := 0, 0, 0
	for length = 1; length <= maxCodeLen; length++ {
		if length > n {
			return 0, 0
		}
		code |= int(b & 1)
		b >>= 1
		count := int(h.count[length])
		if code-first < count {
			return int(h.symbols[index+code-first]), length
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, maxCodeLen + 1
}

// The codes of blocks that bring none of their own (RFC 1951 §3.2.6).
var fixedLengths, fixedDists = fixedCodes()

func fixedCodes() (lengths, dists *huffman) {
	var n [288]uint8
	for i := range n {
		switch {
		case i < 144:
			n[i] = 8
		case i < 256:
			n[i] = 9
		case i < 280:
			n[i] = 7
		default:
			n[i] = 8
		}
	}
	lengths, dists = new(huffman), new(huffman)
	lengths.init(n[:])
	for i := range 32 {
		n[i] = 5
	}
	dists.init(n[:32])
	return lengths, dists
}

// The lengths and distances of RFC 1951 §3.2.5: what a symbol stands for, and
// how many bits follow to be added.
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [maxDists]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [maxDists]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}

	// lengthOrder is the order in which the lengths of the code for code
	// lengths come (§3.2.7).
	lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)
