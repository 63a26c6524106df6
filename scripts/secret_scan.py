"""Looks for secrets in what is checked in, or in a built binary.

usage: secret_scan.py                    scans every tracked (or about to be tracked) text file
       secret_scan.py --binary PATH      scans a binary
       secret_scan.py --self-test        plants secrets in both and demands that they are found

What counts: private keys, tokens of well-known issuers, assignments of long literals to names that
speak of secrets, long random-looking literals in sources and scripts, and every key that lies in this
checkout's own git-ignored `keys/` and `.martlet/`. What is allowed is in `secret_allow.txt`, each line
with its reason. A finding is printed with its place and its first four characters only.
"""
import math
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ALLOW = os.path.join(ROOT, "scripts", "secret_allow.txt")
MOST_BYTES = 64 << 20  # Larger files are recordings, and are refused unless allowed by path.

# Spelled in parts, so that this file is not found by itself.
ISSUED = [
    ("private key", re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE " + rb"KEY-----")),
    ("AWS key", re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("GitHub token", re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{40,}\b")),
    ("Slack token", re.compile(rb"\bxox[abprs]-[A-Za-z0-9-]{16,}")),
    ("Telegram token", re.compile(rb"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b")),
    ("Google key", re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("Stripe key", re.compile(rb"\b[rs]k_live_[0-9A-Za-z]{20,}\b")),
    ("JSON web token", re.compile(rb"\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}")),
    ("Twilio key", re.compile(rb"\bSK[0-9a-f]{32}\b")),
]
ASSIGNED = re.compile(
    rb"""(?i)(?:secret|passwd|password|passphrase|api_?key|apikey|private_?key|auth_?token)["']?"""
    rb"""\s*(?::\s*[A-Za-z]+\s*)?[:=]\s*["']([A-Za-z0-9+/=_-]{16,})["']""")
LITERAL = re.compile(rb"""["'`]([A-Za-z0-9+/=_-]{32,})["'`]""")
# Where a long random-looking literal has no business. Tests and fixtures are full of digests.
STRICT = re.compile(r"^(Sources|scripts|Examples|Docs|\.ci)/|^[^/]+$")


def entropy(text):
    return -sum(p * math.log2(p) for p in (text.count(c) / len(text) for c in set(text)))


def looks_random(text):
    """Hexadecimal of 32 digits or more, or mixed letters and digits with high entropy."""
    if re.fullmatch(rb"[0-9a-fA-F]{32,}", text):
        return entropy(text) > 3.0
    # An alphabet spelled out, as for base 58: no character twice, and hardly a step back.
    if len(set(text)) == len(text) and sum(b < a for a, b in zip(text, text[1:])) <= 4:
        return False
    kinds = sum(bool(re.search(kind, text)) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]"))
    return kinds == 3 and entropy(text) > 4.2


class Allowed:
    def __init__(self, lines):
        self.texts, self.paths = [], []
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            kind, what, reason = (line.split(None, 2) + ["", ""])[:3]
            if kind not in ("text", "path") or len(reason.split()) < 3:
                raise SystemExit(f"secret_allow.txt:{number}: expected `text|path WHAT REASON…`: {line}")
            (self.texts.append(what.encode()) if kind == "text" else self.paths.append(what))

    def covers(self, path, found):
        return any(re.search(p, path) for p in self.paths) or any(t in found for t in self.texts)


def local_keys(root):
    """What this machine keeps secret for this checkout, longest first."""
    keys = set()
    for folder in ("keys", ".martlet"):
        for base, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                path = os.path.join(base, name)
                # Journals and logs are no key files, and hold no secret by their own tests.
                if os.path.getsize(path) > 16384 or not re.search(r"(?i)key|secret|token", path):
                    continue
                keys |= set(re.findall(rb"[A-Za-z0-9+/=_-]{16,}", open(path, "rb").read()))
    return sorted(keys, key=len, reverse=True)


def scan(path, data, allowed, keys, strict):
    def found(kind, start, text):
        if not allowed.covers(path, text):
            line = data.count(b"\n", 0, start) + 1
            place = f"{path} byte {start}" if strict is None else f"{path}:{line}"
            shown = text[:4].decode("ascii", "replace")
            findings.append(f"{place}: {kind}: {shown}… ({len(text)} characters)")

    findings = []
    for kind, pattern in ISSUED:
        for match in pattern.finditer(data):
            found(kind, match.start(), match.group(0))
    for match in ASSIGNED.finditer(data):
        if looks_random(match.group(1)) or entropy(match.group(1)) > 3.5 and strict is not None:
            found("assigned secret", match.start(), match.group(1))
    if strict:
        for match in LITERAL.finditer(data):
            if looks_random(match.group(1)):
                found("random-looking literal", match.start(), match.group(1))
    for key in keys:
        at = data.find(key)
        if at >= 0:
            found("a key of this machine", at, key)
    return findings


def tracked(root):
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        stdout=subprocess.PIPE, check=True).stdout
    return sorted(set(name.decode() for name in listed.split(b"\0") if name))


def scan_tree(root, names, allowed, keys):
    findings = []
    for name in names:
        path = os.path.join(root, name)
        if not os.path.isfile(path):
            continue
        if os.path.getsize(path) > MOST_BYTES:
            if not allowed.covers(name, b""):
                findings.append(f"{name}: larger than {MOST_BYTES} bytes and not allowed by path")
            continue
        data = open(path, "rb").read()
        is_text = b"\0" not in data[:8192]
        findings += scan(name, data, allowed, keys, bool(is_text and STRICT.search(name)))
    return findings


def scan_binary(path, allowed, keys):
    return scan(path, open(path, "rb").read(), allowed, keys, None)


def self_test():
    """A scan that finds nothing proves nothing until it has found something."""
    token = b"gh" + b"p_" + b"R4nd0mLooking" * 3
    hexed = b"9f86d081884c7d65" + b"9a2feaa0c55ad015"
    key = b"K" + hexed
    nothing = Allowed([])
    with tempfile.TemporaryDirectory() as root:
        planted = {
            "Sources/A.swift": b'let s = "' + hexed + b'"\n',
            "Sources/B.swift": b"// -----BEGIN PRIVATE " + b"KEY-----\n",
            "Tests/C.swift": b'let apiSecret = "' + hexed[:24] + b'"\n',
            "Docs/D.md": b"use " + token + b"\n",
            "README.md": b"my key is " + key + b"\n",
        }
        clean = {
            "Sources/E.swift": b'let greeting = "a-long-but-plain-identifier-of-words-only"\n',
            "Sources/G.swift": b'let letters = "' + bytes(range(48, 58)) + bytes(range(65, 91)) + bytes(range(97, 123)) + b'"\n',
            "Tests/F.swift": b'#expect(digest == "' + hexed * 2 + b'")\n',
        }
        for name, data in {**planted, **clean}.items():
            os.makedirs(os.path.dirname(os.path.join(root, name)) or root, exist_ok=True)
            open(os.path.join(root, name), "wb").write(data)
        os.makedirs(os.path.join(root, "keys"))
        open(os.path.join(root, "keys", "venue"), "wb").write(key)
        findings = scan_tree(root, [*planted, *clean], nothing, local_keys(root))
        for name in planted:
            assert any(f.startswith(name) for f in findings), f"planted in {name}, not found"
        for name in clean:
            assert not any(f.startswith(name) for f in findings), f"nothing in {name}, yet: {findings}"
        assert not any(hexed.decode() in f or token.decode() in f for f in findings), "a secret was printed"

        binary = os.path.join(root, "program")
        open(binary, "wb").write(os.urandom(4096) + b"\0" + token + b"\0" + os.urandom(4096))
        assert scan_binary(binary, nothing, []), "planted in a binary, not found"
        open(binary, "wb").write(bytes(1024) + b"\0" + key + b"\0" + bytes(1024))
        assert scan_binary(binary, nothing, [key]), "a key of this machine in a binary, not found"
        open(binary, "wb").write(bytes(2048))
        assert not scan_binary(binary, nothing, [key]), "found in an empty binary"
        assert scan_tree(root, ["Sources/A.swift"], Allowed([f"text {hexed.decode()} a test key only"]), []) == []
    print("the self-test found every planted secret")


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    allowed, keys = Allowed(open(ALLOW, encoding="utf-8")), local_keys(ROOT)
    if len(arguments) == 2 and arguments[0] == "--binary":
        findings = scan_binary(arguments[1], allowed, keys)
    elif not arguments:
        findings = scan_tree(ROOT, tracked(ROOT), allowed, keys)
    else:
        raise SystemExit(__doc__)
    for finding in findings:
        print(finding)
    if findings:
        raise SystemExit(f"{len(findings)} found. Take them out, revoke them, or allow them in {ALLOW} with a reason.")
    print("no secret found")


main(sys.argv[1:])
