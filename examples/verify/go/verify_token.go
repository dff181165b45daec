// Sketch: verifies a token of Tongban ID that is signed with SM2, with github.com/emmansun/gmsm.
// It is not run by our tests; take it as a map of the steps, and test with a token of your own.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
)

const (
	alg          = "SGD_SM3_SM2"
	curve        = "sm2p256v1"
	clocksDiffer = 10 * time.Second
)

var userID = []byte("1234567812345678")

// JWK is one key of the server's key set.
type JWK struct {
	Kid, Crv, Use, X, Y string
}

func decode(part string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(part) }

// Verify returns the claims of the token.
func Verify(token string, keys []JWK, issuer, audience string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token does not have three parts")
	}
	var header struct {
		Alg, Kid string
		Crit     []string
	}
	first, err := decode(parts[0])
	if err != nil {
		return nil, err
	}
	if err := json.NewDecoder(bytes.NewReader(first)).Decode(&header); err != nil {
		return nil, err
	}
	if header.Alg != alg || header.Crit != nil {
		return nil, errors.New("the token is not signed with " + alg)
	}
	for _, key := range keys {
		if key.Kid != header.Kid || key.Crv != curve || key.Use != "sig" {
			continue
		}
		signature, err := decode(parts[2])
		if err != nil || len(signature) != 64 || !isSigned([]byte(parts[0]+"."+parts[1]), signature, key) {
			return nil, errors.New("the signature is wrong")
		}
		return claims(parts[1], issuer, audience)
	}
	return nil, errors.New("the key set has no SM2 key of this kid: fetch it anew")
}

// isSigned puts r || s into the SEQUENCE that the library takes, and names the user id.
func isSigned(message, signature []byte, key JWK) bool {
	x, errX := decode(key.X)
	y, errY := decode(key.Y)
	if errX != nil || errY != nil {
		return false
	}
	public := &ecdsa.PublicKey{Curve: sm2.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
	if !public.Curve.IsOnCurve(public.X, public.Y) {
		return false
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])})
	return err == nil && sm2.VerifyASN1WithSM2(public, userID, message, der)
}

func claims(part, issuer, audience string) (map[string]any, error) {
	second, err := decode(part)
	if err != nil {
		return nil, err
	}
	var found map[string]any
	if err := json.Unmarshal(second, &found); err != nil {
		return nil, err
	}
	end, _ := found["exp"].(float64)
	if found["iss"] != issuer || found["aud"] != audience || time.Unix(int64(end), 0).Add(clocksDiffer).Before(time.Now()) {
		return nil, errors.New("the token is of another issuer, for another portal, or over")
	}
	return found, nil
}
