package main

import (
	"encoding/binary"
	"math/bits"
)

// sm3 is the digest of GB/T 32905: 32 bytes.
func sm3(message []byte) []byte {
	state := [8]uint32{
		0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
	}
	padded := append(append([]byte{}, message...), 0x80)
	for len(padded)%64 != 56 {
		padded = append(padded, 0)
	}
	length := make([]byte, 8)
	binary.BigEndian.PutUint64(length, uint64(len(message))*8)
	padded = append(padded, length...)
	for ; len(padded) > 0; padded = padded[64:] {
		compress(&state, padded[:64])
	}
	found := make([]byte, 32)
	for at, word := range state {
		binary.BigEndian.PutUint32(found[4*at:], word)
	}
	return found
}

func compress(state *[8]uint32, block []byte) {
	var w [68]uint32
	for at := range w[:16] {
		w[at] = binary.BigEndian.Uint32(block[4*at:])
	}
	for at := 16; at < len(w); at++ {
		mixed := w[at-16] ^ w[at-9] ^ bits.RotateLeft32(w[at-3], 15)
		permuted := mixed ^ bits.RotateLeft32(mixed, 15) ^ bits.RotateLeft32(mixed, 23)
		w[at] = permuted ^ bits.RotateLeft32(w[at-13], 7) ^ w[at-6]
	}
	v := *state
	for j := 0; j < 64; j++ {
		a12 := bits.RotateLeft32(v[0], 12)
		first := bits.RotateLeft32(a12+v[4]+bits.RotateLeft32(constant(j), j%32), 7)
		left := chosen(j, v[0], v[1], v[2], v[0]&v[1]|v[0]&v[2]|v[1]&v[2]) + v[3] + (first ^ a12) + (w[j] ^ w[j+4])
		right := chosen(j, v[4], v[5], v[6], v[4]&v[5]|^v[4]&v[6]) + v[7] + first + w[j]
		permuted := right ^ bits.RotateLeft32(right, 9) ^ bits.RotateLeft32(right, 17)
		v = [8]uint32{left, v[0], bits.RotateLeft32(v[1], 9), v[2], permuted, v[4], bits.RotateLeft32(v[5], 19), v[6]}
	}
	for at := range state {
		state[at] ^= v[at]
	}
}

func constant(round int) uint32 {
	if round < 16 {
		return 0x79cc4519
	}
	return 0x7a879d8a
}

// chosen is the exclusive or of three words in the first sixteen rounds, and the given function of them afterwards.
func chosen(round int, x, y, z, afterwards uint32) uint32 {
	if round < 16 {
		return x ^ y ^ z
	}
	return afterwards
}
