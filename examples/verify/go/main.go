// Verifies a token of Tongban ID that is signed with SM2, with the standard library alone:
//
//	go run . TOKEN-FILE JWKS-FILE ISSUER AUDIENCE [NONCE]
//
// Prints the claims and ends with 0, or says on standard error why not and ends with 1.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"
)

const (
	alg          = "SGD_SM3_SM2"
	curve        = "sm2p256v1"
	clocksDiffer = 10 * time.Second
)

// jwk is one key of the server's key set.
type jwk struct {
	Kid, Crv, Use, X, Y string
}

// decode reads strict base64url without padding (RFC 7515 2). Go passes over line breaks, which belong in no token.
func decode(part string) ([]byte, error) {
	bytes, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("a part of the token is not strict base64url")
	}
	return bytes, nil
}

// object reads a part of the token as a JSON object.
func object(part string) (map[string]any, error) {
	bytes, err := decode(part)
	if err != nil {
		return nil, err
	}
	var found map[string]any
	if err := json.Unmarshal(bytes, &found); err != nil || found == nil {
		return nil, errors.New("a part of the token is no JSON object")
	}
	return found, nil
}

// verify returns the claims of the token. An empty nonce is not compared.
func verify(token string, keys []jwk, issuer, audience, nonce string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token does not have three parts")
	}
	header, err := object(parts[0])
	if err != nil {
		return nil, err
	}
	if _, critical := header["crit"]; critical || header["alg"] != alg {
		return nil, errors.New("the token is not signed with " + alg)
	}
	key := find(keys, header["kid"])
	if key == nil {
		return nil, errors.New("the key set has no SM2 key of this kid: fetch it anew")
	}
	signature, err := decode(parts[2])
	if err != nil {
		return nil, err
	}
	if !isSigned([]byte(parts[0]+"."+parts[1]), signature, *key) {
		return nil, errors.New("the signature is wrong")
	}
	claims, err := object(parts[1])
	if err != nil {
		return nil, err
	}
	end, _ := claims["exp"].(float64)
	switch {
	case claims["iss"] != issuer:
		return nil, errors.New("the token is of another issuer")
	case claims["aud"] != audience:
		return nil, errors.New("the token is for another portal")
	case !time.Unix(int64(end), 0).Add(clocksDiffer).After(time.Now()):
		return nil, errors.New("the token is over")
	case nonce != "" && claims["nonce"] != nonce:
		return nil, errors.New("the nonce is another one")
	}
	return claims, nil
}

func find(keys []jwk, kid any) *jwk {
	for _, key := range keys {
		if key.Kid == kid && key.Crv == curve && key.Use == "sig" {
			return &key
		}
	}
	return nil
}

func isSigned(message, signature []byte, key jwk) bool {
	x, errX := decode(key.X)
	y, errY := decode(key.Y)
	if errX != nil || errY != nil || len(x) != numberBytes || len(y) != numberBytes {
		return false
	}
	return verifySM2(message, signature, new(big.Int).SetBytes(x), new(big.Int).SetBytes(y))
}

func run(arguments []string) error {
	if len(arguments) != 4 && len(arguments) != 5 {
		return errors.New("usage: TOKEN-FILE JWKS-FILE ISSUER AUDIENCE [NONCE]")
	}
	token, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(arguments[1])
	if err != nil {
		return err
	}
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(text, &set); err != nil {
		return err
	}
	nonce := ""
	if len(arguments) == 5 {
		nonce = arguments[4]
	}
	claims, err := verify(strings.TrimSpace(string(token)), set.Keys, arguments[2], arguments[3], nonce)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(claims)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
