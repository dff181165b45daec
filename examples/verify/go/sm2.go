package main

import "math/big"

const numberBytes = 32

func number(hex string) *big.Int {
	found, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic("not hexadecimal: " + hex)
	}
	return found
}

// The curve of GB/T 32918.5; a is p - 3.
var (
	p  = number("fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff")
	n  = number("fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123")
	a  = number("fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc")
	b  = number("28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93")
	gx = number("32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7")
	gy = number("bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0")
)

var userID = []byte("1234567812345678")

// verifySM2 says whether r || s is a signature over the message by the key x, y (GB/T 32918.2 7.1). Nothing here is secret, so nothing
// needs to take the same time: a verifier may, a signer must not, be written like this.
func verifySM2(message, signature []byte, x, y *big.Int) bool {
	if len(signature) != 2*numberBytes || !isOnCurve(x, y) {
		return false
	}
	r := new(big.Int).SetBytes(signature[:numberBytes])
	s := new(big.Int).SetBytes(signature[numberBytes:])
	if !isInRange(r) || !isInRange(s) {
		return false
	}
	t := modulo(new(big.Int).Add(r, s), n)
	if t.Sign() == 0 {
		return false
	}
	sum := add(multiply(s, &point{gx, gy}), multiply(t, &point{x, y}))
	if sum == nil {
		return false
	}
	e := new(big.Int).SetBytes(digest(message, x, y))
	return modulo(new(big.Int).Add(e, sum.x), n).Cmp(r) == 0
}

// digest is e = SM3(Z || message), with Z of GB/T 32918.2 5.5.
func digest(message []byte, x, y *big.Int) []byte {
	bits := len(userID) * 8
	z := append([]byte{byte(bits >> 8), byte(bits)}, userID...)
	for _, value := range []*big.Int{a, b, gx, gy, x, y} {
		z = append(z, value.FillBytes(make([]byte, numberBytes))...)
	}
	return sm3(append(sm3(z), message...))
}

func isInRange(value *big.Int) bool { return value.Sign() > 0 && value.Cmp(n) < 0 }

// isOnCurve keeps out points of easier groups.
func isOnCurve(x, y *big.Int) bool {
	if x.Cmp(p) >= 0 || y.Cmp(p) >= 0 {
		return false
	}
	left := modulo(new(big.Int).Mul(y, y), p)
	right := new(big.Int).Add(new(big.Int).Mul(x, x), a)
	right.Mul(right, x).Add(right, b)
	return left.Cmp(modulo(right, p)) == 0
}

// point is a point in affine coordinates; the point at infinity is nil.
type point struct{ x, y *big.Int }

func modulo(value, m *big.Int) *big.Int { return value.Mod(value, m) }

func add(left, right *point) *point {
	if left == nil {
		return right
	}
	if right == nil {
		return left
	}
	above, below := new(big.Int), new(big.Int)
	if left.x.Cmp(right.x) == 0 {
		if left.y.Cmp(right.y) != 0 || left.y.Sign() == 0 {
			return nil
		}
		above.Mul(left.x, left.x).Mul(above, big.NewInt(3)).Add(above, a)
		below.Lsh(left.y, 1)
	} else {
		above.Sub(right.y, left.y)
		below.Sub(right.x, left.x)
	}
	slope := modulo(above.Mul(above, below.ModInverse(modulo(below, p), p)), p)
	x := new(big.Int).Mul(slope, slope)
	x = modulo(x.Sub(x, left.x).Sub(x, right.x), p)
	y := new(big.Int).Sub(left.x, x)
	return &point{x, modulo(y.Mul(y, slope).Sub(y, left.y), p)}
}

func multiply(factor *big.Int, base *point) *point {
	var sum *point
	for bit := factor.BitLen() - 1; bit >= 0; bit-- {
		sum = add(sum, sum)
		if factor.Bit(bit) == 1 {
			sum = add(sum, base)
		}
	}
	return sum
}
