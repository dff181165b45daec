#!/usr/bin/env python3
"""Verifies an export of a Tongban ID audit ledger (format tongban/ledger-export@v1, see FORMAT.md beside this file).

Needs Python 3.9 and nothing else, and the `openssl` command for signatures. No network. Exit 0 good, 1 tampered, 2 cannot decide.
"""
import argparse, base64, datetime, hashlib, json, os, re, struct, subprocess, sys, tempfile

FORMAT = "tongban/ledger-export@v1"
NUMBER_MAX = 2**53 - 1
WIDTH = 256
SLACK_MS = 5000
MEMBERS = ["actor", "client", "corr", "data", "ip", "node", "outcome", "subject", "ts", "type", "ua", "v"]
NAME = re.compile(r"[!-*,-~]{1,128}")
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{3})Z")
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
# The example of GB/T 32918.5 A.2: shows whether the openssl at hand verifies SM2 with the standard's user id.
PROBE_KEY = bytes.fromhex("0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
                          "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13")
PROBE_SIG = bytes.fromhex("f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
                          "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa")

try:
    hashlib.new("sm3")
except ValueError:
    print("UNDECIDED: this Python has no SM3; use one built with OpenSSL 1.1.1 or later", file=sys.stderr)
    sys.exit(2)


def sm3(*parts):
    return hashlib.new("sm3", b"".join(parts)).digest()


encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Tampered(Exception):
    """Stops at what is wrong: `where` may hold seq, checkpoint, between."""

    def __init__(self, reason, **where):
        super().__init__(reason)
        self.where = where


def refuse_constant(_):
    raise ValueError("no such number in JSON")


def is_count(value):
    return type(value) is int and 0 <= value <= NUMBER_MAX


def unbase64(text, length=None):
    """The bytes of a text that is the one base64 spelling of them, else None."""
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:
        return None
    if raw is None or base64.b64encode(raw).decode() != text or length not in (None, len(raw)):
        return None
    return raw


def read_json(text):
    """The object of a line that has its one form; None for every other line."""
    if len(text) > 262144:
        return None
    try:
        value = json.loads(text, parse_constant=refuse_constant)
        return value if isinstance(value, dict) and encode(value) == text else None
    except (ValueError, RecursionError):
        return None


class Signatures:
    """SM2 by the openssl command, every distinct question asked once."""

    def __init__(self):
        self.known, self.folder = {}, tempfile.TemporaryDirectory()
        try:
            good = self.ask(PROBE_KEY, b"message digest", PROBE_SIG)
            self.available = good and not self.ask(PROBE_KEY, b"another message", PROBE_SIG)
        except OSError:
            self.available = False

    def ask(self, key, message, signature):
        paths = [os.path.join(self.folder.name, name) for name in ("key.pem", "sig.der", "message")]
        pem = "-----BEGIN PUBLIC KEY-----\n%s-----END PUBLIC KEY-----\n" % base64.encodebytes(SPKI + key).decode()
        numbers = b""
        for part in (signature[:32], signature[32:]):
            part = part.lstrip(b"\0")
            part = b"\0" + part if part[:1] >= b"\x80" else part
            numbers += b"\x02" + bytes([len(part)]) + part
        for path, content in zip(paths, (pem.encode(), b"\x30" + bytes([len(numbers)]) + numbers, message)):
            with open(path, "wb") as file:
                file.write(content)
        command = ["openssl", "dgst", "-sm3", "-verify", paths[0], "-sigopt", "distid:1234567812345678",
                   "-signature", paths[1], paths[2]]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def hold(self, key, message, signature):
        if len(signature) != 64 or not all(0 < int.from_bytes(part, "big") < N for part in (signature[:32], signature[32:])):
            return False
        question = (key, message, signature)
        if self.available and question not in self.known:
            self.known[question] = self.ask(*question)
        return self.known[question] if self.available else True


def key_id(name, kind, key):
    return sm3(name.encode(), b"\n\xff", kind.encode(), key)[:4]


def parse_key(text):
    """(name, kind, key) of a verifier key, else None."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not NAME.fullmatch(parts[0]) or not re.fullmatch("[0-9a-f]{8}", parts[1]):
        return None
    key = unbase64(parts[2], 65)
    if key is None or key[0] != 4:
        return None
    x, y = int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big")
    if x >= P or y >= P or (y * y - (x * x * x - 3 * x + B)) % P:
        return None
    for kind in ("sm2-sm3", "cosignature-sm2/v1"):
        if key_id(parts[0], kind, key).hex() == parts[1]:
            return parts[0], kind, key
    return None


def parse_note(note):
    """(origin, size, root, signed text, [(name, id, signature)]) of a well-formed note, else None."""
    head, gap, tail = note.partition("\n\n")
    fields = head.split("\n")
    if not gap or len(note) > 8192 or not tail.endswith("\n") or len(fields) != 3:
        return None
    origin, size, root = fields[0], fields[1], unbase64(fields[2], 32)
    if not NAME.fullmatch(origin) or not re.fullmatch("0|[1-9][0-9]{0,15}", size) or int(size) > NUMBER_MAX or not root:
        return None
    lines, seen = [], set()
    for line in tail[:-1].split("\n"):
        match = re.fullmatch("\u2014 ([^ ]+) ([A-Za-z0-9+/=]+)", line)
        blob = unbase64(match.group(2)) if match else None
        if blob is None or not NAME.fullmatch(match.group(1)) or len(blob) not in (68, 76):
            return None
        if (match.group(1), blob[:4]) in seen:
            return None
        seen.add((match.group(1), blob[:4]))
        lines.append((match.group(1), blob[:4], blob[4:]))
    return (origin, int(size), root, head + "\n", lines) if len(lines) <= 16 else None


def note_fault(parsed, trusted, witnesses, signatures):
    """Why a note does not hold, else None."""
    origin, size, _, text, lines = parsed
    name, _, key = trusted
    if origin != name:
        return "the checkpoint of size %d is of another ledger" % size
    mine = key_id(name, "sm2-sm3", key)
    if not any(line[:2] == (name, mine) and signatures.hold(key, text.encode(), line[2]) for line in lines):
        return "the checkpoint of size %d is not signed with the trusted key" % size
    for other, other_id, blob in lines:
        for witness, _, witness_key in witnesses:
            if other != witness or (other, other_id) == (name, mine):
                continue
            seconds = int.from_bytes(blob[:8], "big")
            message = "cosignature-sm2/v1\ntime %d\n%s" % (seconds, text)
            right_id = key_id(witness, "cosignature-sm2/v1", witness_key) == other_id
            if not right_id or not 0 < seconds <= NUMBER_MAX or not signatures.hold(witness_key, message.encode(), blob[8:]):
                return "the cosignature of a witness under the checkpoint of size %d is wrong" % size
    return None


class Forest:
    """The complete subtrees of the leaves so far, as (height, hash), left to right."""

    def __init__(self, size=0, hashes=()):
        bits = [bit for bit in range(size.bit_length()) if size >> bit & 1]
        self.trees, self.size = list(zip(reversed(bits), hashes)), size

    def add(self, tree, height=0):
        self.size += 1 << height
        while self.trees and self.trees[-1][0] == height:
            tree = sm3(b"\x01", self.trees.pop()[1], tree)
            height += 1
        self.trees.append((height, tree))

    def root(self):
        if not self.trees:
            return sm3()
        root = self.trees[-1][1]
        for _, tree in self.trees[-2::-1]:
            root = sm3(b"\x01", tree, root)
        return root


def proven_root(seq, size, leaf, proof):
    """The root an inclusion proof leads to, else None (RFC 9162 2.1.3.2)."""
    number, last, root = seq, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if number & 1 or number == last:
            root = sm3(b"\x01", sibling, root)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            root = sm3(b"\x01", root, sibling)
        number, last = number >> 1, last >> 1
    return root if last == 0 else None


DAYS = {}


def dated(ts):
    """Milliseconds of a date, else None."""
    match = DATE.fullmatch(ts) if isinstance(ts, str) else None
    if not match:
        return None
    year, month, day, hour, minute, second, milli = map(int, match.groups())
    if (year, month, day) not in DAYS:
        try:
            DAYS[year, month, day] = datetime.date(year, month, day).toordinal() * 86400000
        except ValueError:
            return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    return DAYS[year, month, day] + ((hour * 60 + minute) * 60 + second) * 1000 + milli


def parse_entry(text):
    """The entry of a canonical text within the schema, else None."""
    entry = read_json(text)
    if entry is None or list(entry) != MEMBERS or len(text.encode("utf-8", "surrogatepass")) > 16384:
        return None
    data = entry["data"]
    words = all(isinstance(entry[name], str) for name in ("actor", "node", "type"))
    maybe = all(entry[name] is None or isinstance(entry[name], str) for name in ("client", "corr", "ip", "subject", "ua"))
    if not words or not maybe or type(entry["v"]) is not int or entry["v"] != 1 or not isinstance(data, dict):
        return None
    if entry["outcome"] not in ("success", "failure") or dated(entry["ts"]) is None:
        return None
    if list(data) != sorted(data, key=lambda name: name.encode("utf-16-be", "surrogatepass")):
        return None
    for value in data.values():
        if isinstance(value, (str, bool)) or type(value) is int and abs(value) <= NUMBER_MAX:
            continue
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return None
    return entry


class Lines:
    """The lines before the last one, with a look ahead, and SM3 over their bytes."""

    def __init__(self, file):
        self.file, self.hash, self.ahead = file, hashlib.new("sm3"), []
        size = file.seek(0, 2)
        tail_at = file.seek(max(0, size - 4096))
        tail = file.read()
        start = tail[:-1].rfind(b"\n") + 1
        closed = tail.endswith(b"\n") and tail[start:].startswith(b'{"end":')
        self.end, self.left = (tail[start:-1], tail_at + start) if closed else (None, size)
        file.seek(0)

    def peek(self, place=0):
        """The line `place` lines ahead: text, "" when it is no UTF-8, None behind the last."""
        while len(self.ahead) <= place and self.left > 0:
            raw = self.file.readline(self.left)
            self.left -= len(raw)
            self.ahead.append(raw)
        if len(self.ahead) <= place:
            return None
        try:
            return self.ahead[place].decode("utf-8").removesuffix("\n")
        except UnicodeDecodeError:
            return ""

    def take(self):
        text = self.peek()
        if text is not None:
            self.hash.update(self.ahead.pop(0))
        return text


class Verifier:
    """One file, judged once."""

    def __init__(self, options, signatures):
        self.keys, self.signatures = options.keys, signatures
        self.findings, self.roots, self.matched = [], {}, 0
        self.newest, self.stepped = float("-inf"), {}
        self.counts = dict.fromkeys(("entries", "checkpoints", "checkpointsBySignature", "openings", "prunes", "clockSteps"), 0)

    def find(self, verdict, reason, **where):
        self.findings.append({"verdict": verdict, "reason": reason, **where})

    def judge(self, path, held):
        with open(path, "rb") as file:
            lines = Lines(file)
            try:
                header = self.preamble(lines, held)
                if header:
                    (self.range if header["kind"] == "range" else self.records)(lines, header)
                    self.end(lines)
            except Tampered as stop:
                self.find("tampered", str(stop), **stop.where)
        return self.outcome()

    def outcome(self):
        order = {"tampered": 0, "undecided": 1}
        places = ("seq", "between", "checkpoint")
        rank = lambda one: (order[one["verdict"]], next((i for i, p in enumerate(places) if p in one), 3), one.get("seq", 0))
        self.findings.sort(key=rank)
        first = self.findings[0] if self.findings else {"verdict": "good", "reason": "all checks hold"}
        result = {"firstBad" if name == "seq" else name: value for name, value in first.items()}
        return {**result, "findings": self.findings, "counts": self.counts}

    def preamble(self, lines, held):
        first = lines.take() or ""
        header = read_json(first)
        sizes = [header.get(name) for name in ("from", "to", "size")] if header else []
        if (not header or list(header) != ["format", "kind", "origin", "key", "from", "to", "size"] or header["format"] != FORMAT
                or header["kind"] not in ("range", "records") or not isinstance(header["key"], str)
                or not isinstance(header["origin"], str) or not all(map(is_count, sizes)) or sizes != sorted(sizes)):
            if lines.end is None and FORMAT not in first:
                return self.find("undecided", "this is no export of a ledger")
            raise Tampered("the first line is not a header of this format")
        named = parse_key(header["key"])
        if named is None or named[:2] != (header["origin"], "sm2-sm3"):
            raise Tampered("the header names no key of this ledger")
        trusted = next((key for key in self.keys if key[1] == "sm2-sm3"), None)
        if trusted is None:
            self.find("undecided", "no key was brought from elsewhere: the file is only compared with the key it names itself")
        elif trusted != named:
            self.find("tampered", "the header names another key than the trusted one")
        if not self.signatures.available:
            self.find("undecided", "signatures were not checked: the openssl command here does not verify SM2")
        self.trusted = trusted or named
        own, left = self.own_lines(lines)
        ones = bin(header["from"]).count("1") if header["kind"] == "range" else 0
        if (left is not None) != (ones > 0) or ones and len(left) != ones:
            raise Tampered("the lines before the first entry are not those of this format")
        self.left_hashes = left or ()
        self.own_checkpoints(own, header)
        self.brought_checkpoints(held, header)
        return header

    def own_lines(self, lines):
        """The notes and, if there is one, the compact range. A damaged line belongs to what follows it."""
        notes, left = [], None
        known = ('{"checkpoint":', '{"left":')
        while (lines.peek() or "").startswith(known) or lines.peek() is not None and not lines.peek().startswith(
                ('{"seq":', '{"tile":', '{"right":', '{"end":')) and (lines.peek(1) or "").startswith(known):
            line = read_json(lines.take())
            if line and list(line) == ["checkpoint"] and isinstance(line["checkpoint"], str) and left is None:
                notes.append(line["checkpoint"])
            elif line and list(line) == ["left"] and left is None and hashes_of(line["left"]) is not None:
                left = hashes_of(line["left"])
            else:
                raise Tampered("the lines before the first entry are not those of this format")
        return notes, left

    def own_checkpoints(self, notes, header):
        start, to, size = header["from"], header["to"], header["size"]
        sizes, whole = [], True
        for note in notes:
            parsed = parse_note(note)
            fault = note_fault(parsed, self.trusted, self.witnesses(), self.signatures) if parsed else "a checkpoint is not well formed"
            if fault:
                whole = False
                self.find("tampered", fault, **({"checkpoint": parsed[1]} if parsed else {}))
                continue
            sizes.append(parsed[1])
            self.roots.setdefault(parsed[1], set()).add(parsed[2])
            self.counts["checkpoints"] += 1
        inside = all(one == size or header["kind"] == "range" and start <= one <= to for one in sizes)
        if whole and (not sizes or not inside or sorted(sizes)[-1] != size):
            self.find("tampered", "the checkpoints of the file are not those its header tells of")

    def brought_checkpoints(self, held, header):
        newest = 0
        for name, note in held:
            parsed = parse_note(note) if note is not None else None
            fault = note_fault(parsed, self.trusted, self.witnesses(), self.signatures) if parsed else "no well-formed checkpoint"
            if fault:
                self.find("undecided", "%s: %s" % (name, fault))
                continue
            size, root = parsed[1:3]
            newest = max(newest, size)
            self.counts["checkpoints"] += 1
            if size == header["size"] or header["kind"] == "range" and header["from"] <= size <= header["to"]:
                self.roots.setdefault(size, set()).add(root)
            else:
                self.counts["checkpointsBySignature"] += 1
        if newest > header["size"]:
            self.find("undecided", "a checkpoint of size %d is held, but this export ends with one of size %d" % (newest, header["size"]))

    def witnesses(self):
        return [key for key in self.keys if key[1] != "sm2-sm3"]

    def meet(self, forest):
        """Compares the root with those signed for this size."""
        signed = self.roots.get(forest.size)
        if signed is None:
            return
        if signed != {forest.root()}:
            between = {"between": {"from": self.matched, "to": forest.size}} if self.matched < forest.size else {}
            raise Tampered("the root over %d entries is not the one that was signed" % forest.size, checkpoint=forest.size, **between)
        self.matched = forest.size

    def range(self, lines, header):
        seq, to, size = header["from"], header["to"], header["size"]
        forest = Forest(seq, self.left_hashes)
        self.matched, self.start, self.start_root = seq, seq, forest.root()
        self.meet(forest)
        while seq < to:
            seq = self.tile(lines, forest, seq, min((seq // WIDTH + 1) * WIDTH, to))
        line = lines.take()
        value = read_json(line) if line is not None else None
        if is_entry(value):
            raise Tampered("more entries stand here than the header tells of", seq=to)
        if line is None and to < size:
            raise Tampered("the entries up to the newest checkpoint are missing, and so are the hashes in their place", seq=to)
        hashes = hashes_of(value.get("right")) if value and list(value) == ["right"] else None
        if line is not None and (to == size or hashes is None or lines.peek() is not None):
            raise Tampered("the lines after the last entry are not those of this format")
        for tree in hashes or ():
            height = (forest.size & -forest.size).bit_length() - 1 if forest.size else size.bit_length()
            while forest.size + (1 << height) > size and height > 0:
                height -= 1
            if forest.size == size:
                raise Tampered("the lines after the last entry are not those of this format")
            forest.add(tree, height)
        if forest.size != size:
            raise Tampered("the lines after the last entry are not those of this format")
        if to < size:
            self.meet(forest)

    def tile(self, lines, forest, seq, end):
        """Judges the entries of one tile; returns the number after them. Raises at the smallest number that is wrong."""
        first, found, leaves, fault = seq, [], [], None
        while seq < end and fault is None:
            value = self.entry_line(lines.peek())
            if value is None or value["seq"] != seq or "proof" in value:
                fault = (seq, "entry %d is missing, malformed or out of order" % seq)
                break
            lines.take()
            leaves.append(sm3(b"\0", struct.pack(">Q", seq), value["entry"].encode("utf-8", "surrogatepass")))
            found.append(value)
            seq += 1
        published = self.tile_hashes(lines, first, fault)
        if fault is None and published is None:
            entry_instead = self.entry_line(lines.peek()) is not None
            fault = (end if entry_instead else first, "the hashes of this tile are missing or malformed")
        elif fault is None and len(published) != (end - first) * 32:
            fault = (min(first + len(published) // 32, end), "the tile has another number of hashes than entries")
        for place, (value, leaf) in enumerate(zip(found, leaves)):
            if fault and first + place >= fault[0]:
                break
            reason = self.entry_fault(value, forest)
            if published is not None and published[place * 32:place * 32 + 32] != leaf:
                reason = "the entry does not have the hash that stands for it in its tile"
            if reason:
                fault = (first + place, reason)
                break
            self.counts["entries"] += 1
            forest.add(leaf)
            self.meet(forest)
        if fault:
            raise Tampered(fault[1], seq=fault[0])
        lines.take()
        return end

    def tile_hashes(self, lines, first, fault):
        """The hashes of the tile in the next line, or, behind a fault, in a line that follows soon."""
        for place in range(512 if fault else 1):
            text = lines.peek(place)
            if text is None:
                return None
            if fault and not text.startswith('{"tile":'):
                continue
            value = read_json(text)
            right = value and list(value) == ["tile", "hashes"] and value["tile"] == first // WIDTH and is_count(value["tile"])
            hashes = unbase64(value["hashes"]) if right else None
            return hashes if hashes and len(hashes) % 32 == 0 else None
        return None

    def entry_line(self, text):
        """The members of an entry line in its one form, else None."""
        value = read_json(text) if text is not None else None
        if not is_entry(value) or not is_count(value["seq"]) or not isinstance(value["entry"], str):
            return None
        openings, proof = value.get("openings", {"": None}), value.get("proof")
        if "proof" in value and hashes_of(proof, 64) is None or not isinstance(openings, dict) or not openings:
            return None
        if "openings" in value and list(openings) != sorted(openings, key=lambda name: name.encode("utf-16-be", "surrogatepass")):
            return None
        for opening in openings.values() if "openings" in value else ():
            if not isinstance(opening, dict) or list(opening) != ["salt", "value"] or not isinstance(opening["value"], str) \
                    or unbase64(opening["salt"], 32) is None:
                return None
        return value

    def entry_fault(self, value, forest):
        entry = parse_entry(value["entry"])
        if entry is None:
            return "the entry is not canonical or not within the schema"
        for field, opening in value.get("openings", {}).items():
            word, name = opening["value"].encode("utf-8", "surrogatepass"), field.encode("utf-8", "surrogatepass")
            stands = entry[field] if field in ("ip", "ua") else entry["data"].get(field[5:]) if field.startswith("data.") else None
            digest = sm3(b"\2", struct.pack(">H", len(name)), name, base64.b64decode(opening["salt"]), word)
            if stands != "c:" + base64.b64encode(digest).decode():
                return "the opening of %s does not match its commitment" % field
            self.counts["openings"] += 1
        return None if forest is None else self.date_fault(entry) or self.prune_fault(entry, value["seq"])

    def date_fault(self, entry):
        now, node = dated(entry["ts"]), entry["node"]
        if entry["type"] == "clock.step":
            self.counts["clockSteps"] += 1
            self.stepped[node] = now
            return None
        latest = self.stepped.get(node, self.newest)
        if node in self.stepped:
            self.stepped[node] = max(latest, now)
        else:
            self.newest = max(latest, now)
        return None if now >= latest - SLACK_MS else "the entry is dated more than 5 s before an earlier one"

    def prune_fault(self, entry, seq):
        if entry["type"] != "audit.prune":
            return None
        start, to, root, approvers = (entry["data"].get(name) for name in ("from", "to", "root", "approvers"))
        raw = unbase64(root, 32)
        if not is_count(start) or not is_count(to) or not start < to <= seq or to % WIDTH or raw is None \
                or not isinstance(approvers, list) or len(set(approvers)) < 2:
            return "the entry tells of a removal, but not what was removed or not by whose approval"
        self.counts["prunes"] += 1
        return "the entry tells of a removal with another root" if to == self.start and raw != self.start_root else None

    def records(self, lines, header):
        after, size = header["from"] - 1, header["size"]
        roots = self.roots.get(size, set())
        if len(roots) > 1:
            self.find("tampered", "two different roots over %d entries were signed" % size, checkpoint=size)
        while lines.peek() is not None:
            value = self.entry_line(lines.take())
            if value is None or "proof" not in value:
                raise Tampered("the line after entry %d is malformed" % after)
            seq = value["seq"]
            if seq <= after or seq >= header["to"]:
                raise Tampered("the entry is not in the order of the numbers", seq=seq)
            if after < header["from"] != seq:
                raise Tampered("the entry the header begins with is missing", seq=header["from"])
            leaf = sm3(b"\0", struct.pack(">Q", seq), value["entry"].encode("utf-8", "surrogatepass"))
            reason = self.entry_fault(value, None)
            if not reason and roots and proven_root(seq, size, leaf, hashes_of(value["proof"])) not in roots:
                reason = "the entry is not in the signed tree at this number"
            if reason:
                raise Tampered(reason, seq=seq)
            after, self.counts["entries"] = seq, self.counts["entries"] + 1
        if after != header["to"] - 1 and (self.counts["entries"] or header["from"] != header["to"]):
            raise Tampered("the entry the header ends with is missing", seq=header["to"] - 1)

    def end(self, lines):
        value = read_json(lines.end.decode("utf-8", "replace")) if lines.end else None
        closing = value.get("end") if value and list(value) == ["end"] else None
        if not isinstance(closing, dict) or list(closing) != ["count", "sm3"]:
            raise Tampered("the last line, which closes the file, is missing or malformed")
        if not is_count(closing["count"]) or closing["count"] != self.counts["entries"]:
            raise Tampered("the last line counts other entries")
        if closing["sm3"] != lines.hash.hexdigest():
            raise Tampered("the bytes of the file are not those its last line tells of")


def is_entry(value):
    """Whether the members are those of an entry line, in their order."""
    names = list(value) if value else []
    return names[:2] == ["seq", "entry"] and names[2:] in ([], ["openings"], ["proof"], ["openings", "proof"])


def hashes_of(value, most=128):
    hashes = [unbase64(item, 32) for item in value] if isinstance(value, list) and len(value) <= most else [None]
    return None if None in hashes else hashes


def read_keys(values):
    keys = []
    for value in values:
        texts = [value]
        if parse_key(value) is None:
            with open(value, encoding="utf-8") as file:
                texts = [line.strip() for line in file if line.strip() and not line.lstrip().startswith("#")]
        keys += [parse_key(text) for text in texts]
    if None in keys:
        raise ValueError("a key given with --key is no verifier key")
    return keys


def read_notes(folder):
    notes = []
    for name in sorted(os.listdir(folder)) if folder else []:
        if name.endswith(".note"):
            with open(os.path.join(folder, name), "rb") as file:
                raw = file.read(65536)
            try:
                notes.append((name, raw.decode("utf-8")))
            except UnicodeDecodeError:
                notes.append((name, None))
    return notes


def main():
    parser = argparse.ArgumentParser(description="Verifies an export of a Tongban ID audit ledger.")
    parser.add_argument("file", nargs="?", help="the export")
    parser.add_argument("--key", action="append", default=[], help="a verifier key you brought, or a file with one a line; may be repeated")
    parser.add_argument("--checkpoints", help="a folder with the checkpoints you brought (*.note)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.add_argument("--batch", action="store_true", help="read lines FILE or FILE<tab>FOLDER, print one JSON outcome a line")
    options = parser.parse_args()
    if (options.file is None) != options.batch:
        parser.error("give an export, or --batch")
    exits = {"good": 0, "tampered": 1, "undecided": 2}
    try:
        options.keys, signatures = read_keys(options.key), Signatures()
        if not options.batch:
            outcome = Verifier(options, signatures).judge(options.file, read_notes(options.checkpoints))
            print(json.dumps(outcome) if options.json else describe(outcome))
            return exits[outcome["verdict"]]
        for line in sys.stdin:
            path, _, folder = line.rstrip("\n").partition("\t")
            print(json.dumps(Verifier(options, signatures).judge(path, read_notes(folder or options.checkpoints))), flush=True)
        return 0
    except (OSError, ValueError) as error:
        print("UNDECIDED: %s" % error, file=sys.stderr)
        return 2


def describe(outcome):
    text = "%s: %s" % (outcome["verdict"].upper(), outcome["reason"])
    if "firstBad" in outcome:
        text += "\nfirst bad sequence number: %d" % outcome["firstBad"]
    if "between" in outcome:
        text += "\nthe first bad entry lies from %(from)d to before %(to)d" % outcome["between"]
    if "checkpoint" in outcome:
        text += "\ncheckpoint: size %d" % outcome["checkpoint"]
    return text + "\n" + ", ".join("%s %d" % pair for pair in outcome["counts"].items())


if __name__ == "__main__":
    sys.exit(main())
