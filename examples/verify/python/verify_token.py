#!/usr/bin/env python3
"""Verifies a token of Tongban ID that is signed with SM2, with the openssl command (1.1.1 or later) for the signature:

    python3 verify_token.py TOKEN-FILE JWKS-FILE ISSUER AUDIENCE [NONCE]

Prints the claims and ends with 0, or says on standard error why not and ends with 1.
"""
import base64
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ALG = "SGD_SM3_SM2"
CURVE = "sm2p256v1"
USER_ID = "1234567812345678"
CLOCKS_DIFFER_SECONDS = 10
# SubjectPublicKeyInfo of a point on the SM2 curve, up to the point (RFC 5480).
KEY_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")


class Refused(Exception):
    """What is wrong with the token."""


def decode(part: str) -> bytes:
    """Strict base64url without padding (RFC 7515 2)."""
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise Refused("a part of the token is not strict base64url")
    return data


def integer(number: bytes) -> bytes:
    """A DER INTEGER in its shortest form."""
    digits = number.lstrip(b"\0") or b"\0"
    if digits[0] >= 0x80:
        digits = b"\0" + digits
    return bytes([2, len(digits)]) + digits


def signature_is_good(message: bytes, signature: bytes, key: dict) -> bool:
    """Our signatures are r || s; openssl wants SEQUENCE { r, s }, and must be told the user id."""
    if len(signature) != 64:
        return False
    numbers = integer(signature[:32]) + integer(signature[32:])
    point = b"\4" + decode(key["x"]) + decode(key["y"])
    pem = base64.encodebytes(KEY_HEAD + point).decode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "key.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n")
        (folder / "signature").write_bytes(bytes([0x30, len(numbers)]) + numbers)
        (folder / "message").write_bytes(message)
        command = ["openssl", "dgst", "-sm3", "-verify", "key.pem", "-sigopt", f"distid:{USER_ID}"]
        done = subprocess.run([*command, "-signature", "signature", "message"], cwd=folder, capture_output=True)
        return done.returncode == 0


def verify(token: str, keys: list, issuer: str, audience: str, nonce: str | None) -> dict:
    """The claims of the token."""
    parts = token.split(".")
    if len(parts) != 3:
        raise Refused("the token does not have three parts")
    header = json.loads(decode(parts[0]))
    if header.get("alg") != ALG or "crit" in header:
        raise Refused(f"the token is not signed with {ALG}")
    fitting = [k for k in keys if k.get("kid") == header.get("kid") and k.get("crv") == CURVE and k.get("use") == "sig"]
    if not fitting:
        raise Refused("the key set has no SM2 key of this kid: fetch it anew")
    if not signature_is_good(f"{parts[0]}.{parts[1]}".encode(), decode(parts[2]), fitting[0]):
        raise Refused("the signature is wrong")
    claims = json.loads(decode(parts[1]))
    if claims.get("iss") != issuer:
        raise Refused("the token is of another issuer")
    if claims.get("aud") != audience:
        raise Refused("the token is for another portal")
    if claims.get("exp", 0) + CLOCKS_DIFFER_SECONDS <= time.time():
        raise Refused("the token is over")
    if nonce is not None and claims.get("nonce") != nonce:
        raise Refused("the nonce is another one")
    return claims


def main(token_file: str, keys_file: str, issuer: str, audience: str, nonce: str | None = None) -> int:
    """Reads the files and tells the outcome."""
    try:
        keys = json.loads(Path(keys_file).read_text())["keys"]
        print(json.dumps(verify(Path(token_file).read_text().strip(), keys, issuer, audience, nonce)))
        return 0
    except (Refused, ValueError) as refused:
        print(refused, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
