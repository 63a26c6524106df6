"""A journal that another build wrote, and what others are given of one: made of a real journal by an independent program, which changes
it and chains it anew."""
import csv
import hashlib
import io
import json
import os
import re
import shutil
import struct
import tempfile

from demo_processes import run
from local_exchange import Checks

TABLE = []
for number in range(256):
    for _ in range(8):
        number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
    TABLE.append(number)


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def records(path):
    """Header fields and payload of each record of a segment, its own first."""
    with open(path, "rb") as file:
        data = file.read()
    offset = 0
    while data[offset:offset + 3] == b"MJR":
        _, kind, lane, flags, sequence, time, length, _ = struct.unpack_from("<IHBBQqII", data, offset)
        yield kind, lane, flags, sequence, time, data[offset + 32:offset + 32 + length]
        offset += 64 + (length + 7) // 8 * 8


def write(path, rows, size, version=1):
    out, link = bytearray(), bytes(32)
    for kind, lane, flags, sequence, time, payload in rows:
        head = struct.pack("<IHBBQqI", 0x00524A4D | version << 24, kind, lane, flags, sequence, time, len(payload))
        head += struct.pack("<I", crc32c(head + payload))
        link = hashlib.sha256(link + head + payload).digest()
        out += head + payload + bytes(-len(payload) % 8) + link
    with open(path, "wb") as file:
        file.write(out + bytes(size - len(out)))


def changed(folder, journal, name, change=lambda row: row, version=1):
    """A journal like `journal`, with each record as `change` gives it."""
    place = os.path.join(folder, name)
    os.mkdir(place)
    source = os.path.join(journal, "00000001.mjl")
    write(os.path.join(place, "00000001.mjl"), map(change, records(source)), os.path.getsize(source), version)
    return place


def other_build(build, then=lambda row: row):
    """Says of every record that names it that another build wrote it; of the same length, so that all fields stay where they are."""
    other = re.sub(rb"[0-9a-f]", b"0", build[len(b"martlet 0.1.0 "):])
    name = build[:len(b"martlet 0.1.0 ")] + other

    def change(row):
        kind, lane, flags, sequence, time, payload = then(row)
        return kind, lane, flags, sequence, time, payload.replace(build, name) if kind in (0, 1, 7) else payload

    return name.decode(), change


def builds(checks, folder, journal):
    build = next(re.search(rb"martlet [0-9.]+ [0-9a-f]{12}", row[5])[0] for row in records(os.path.join(journal, "00000001.mjl")) if row[0] == 1)
    same = changed(folder, journal, "same")
    code, out, err = run("replay", "--verify", "--json", same)
    checks.check("a journal that an independent program chains anew replays bit for bit", code == 0 and json.loads(out)["identical"] is True
                 and json.loads(out)["same_build"] is True, (code, out, err))

    name, change = other_build(build)
    other = changed(folder, journal, "other", change)
    code, out, err = run("replay", "--verify", "--json", other)
    found = json.loads(out)
    checks.check("a journal of another build replays, with a word on which build that was: 0", code == 0 and found["identical"] is True
                 and found["same_build"] is False and found["build"] == name and f"another build ({name})" in err, (code, out, err))

    # The other build noted something else of the same inputs.
    notes = [row[3] for row in records(os.path.join(journal, "00000001.mjl")) if row[0] == 4]
    target = notes[len(notes) // 2]

    def otherwise(row):
        return (*row[:5], row[5][:-1] + bytes([row[5][-1] ^ 1])) if row[3] == target and row[0] == 4 else row

    name, change = other_build(build, otherwise)
    differs = changed(folder, journal, "differs", change)
    code, out, err = run("replay", differs)
    checks.check("what this build makes otherwise is told as a difference of builds, with its record, and is no failure: 0",
                 code == 0 and "the builds differ" in err and f"record {target}" in err and "identical" not in out and "no failure of the journal" in err, (code, out, err))
    code, out, err = run("replay", "--json", differs)
    found = json.loads(out)
    checks.check("the journal is proven to its end even so, and what could be compared was", code == 0 and found["identical"] is False and found["build_differences"] == 1
                 and found["last"] == json.loads(run("journal", "verify", "--json", differs)[1])["last"], (code, out, err))
    code, out, err = run("replay", "--verify", differs)
    checks.check("with --verify it is one, in the same words: 1", code == 1 and "the builds differ" in err and f"record {target}" in err, (code, out, err))
    code, out, err = run("replay", changed(folder, journal, "tampered", otherwise))
    checks.check("of the same build it is a failure of the journal: 1", code == 1 and "builds differ" not in err and f"record {target}" in err, (code, out, err))
    code, out, err = run("journal", "verify", differs)
    checks.check("and the journal itself is sound", code == 0 and "sound" in out, (code, out, err))

    later = changed(folder, journal, "later", version=2)
    for words in (["journal", "verify"], ["replay"], ["journal", "export"]):
        code, out, err = run(*words, later)
        checks.check(f"a journal of a later version is not read, and {' '.join(words)} names the build that is needed: 1",
                     code == 1 and "record version 2" in err and build.decode() in err, (code, out, err))


def export(checks, folder, journal, secrets):
    code, out, err = run("journal", "export", journal)
    rows = [json.loads(line) for line in out.splitlines()]
    printed = run("journal", "print", journal)[1].splitlines()
    checks.check("export writes a JSON object a record, in order, none left out", code == 0 and len(rows) == len(printed)
                 and [row["sequence"] for row in rows] == [int(line.split(" ", 1)[0]) for line in printed], (code, err, len(rows), len(printed)))
    keys = {tuple(row) for row in rows}
    checks.check("each with sequence, time, kind, lane, content, and a body where it has one",
                 keys <= {("sequence", "time", "kind", "lane", "content"), ("sequence", "time", "kind", "lane", "content", "body")}
                 and all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", row["time"]) for row in rows), keys)
    frames = [row for row in rows if row["kind"] == "input" and row["content"].startswith("frame ")]
    checks.check("frames are whole, byte for byte as text", len(frames) > 100 and all(isinstance(json.loads(row["body"]), dict) for row in frames), frames[:1])
    code, table, err = run("journal", "export", "--csv", journal)
    found = list(csv.reader(io.StringIO(table, newline="")))
    checks.check("and as a table it says the same", code == 0 and found[0] == ["sequence", "time", "kind", "lane", "content", "body"]
                 and [[*map(str, list(row.values())[:5]), row.get("body", "")] for row in rows] == found[1:], (code, err, found[:2]))
    start = next(row for row in rows if row["kind"] == "start")
    checks.check("a configuration is told without where its key is, and without paths of this machine",
                 'key = "<redacted>"' in start["body"] and 'market = "DBTC_DUSDT"' in start["body"] and folder not in out and ".martlet" not in out, start)
    spelled = changed(folder, journal, "spelled", lambda row: (*row[:5], row[5].replace(b'\nkey = "', b"\n'key'=\"") if row[0] == 1 else row[5]))
    code, odd, err = run("journal", "export", spelled)
    checks.check("whichever way a key's name is written in it", code == 0 and any(b"'key'=" in row[5] for row in records(os.path.join(spelled, "00000001.mjl")))
                 and 'key = "<redacted>"' in json.loads(odd.splitlines()[0])["body"] and folder not in odd
                 and "file:" not in odd, (code, odd[:900], err))
    for words in (["export", "--from", "9", "--until", "5"], ["print", "--json"], ["verify", "--from", "5"]):
        code, part, err = run("journal", *words, journal)
        checks.check(f"{' '.join(words)} is refused, and not half done: 2", code == 2 and not part and words[1] in err, (code, part[:200], err))
    fingerprint = hashlib.sha256(secrets[0].encode()).hexdigest()[:12]
    code, part, _ = run("journal", "export", "--from", "5", "--until", "9", journal)
    checks.check("a part is exported alone", [json.loads(line)["sequence"] for line in part.splitlines()] == [5, 6, 7, 8, 9], part[:300])
    shown = [name for name, text in zip(["key", "secret", "fingerprint"], [*secrets, fingerprint]) if text in out + table]
    checks.check("M39 neither the key nor its secret nor its fingerprint is in an export", not shown, shown)
    code, _, err = run("journal", "export", "--json", "--csv", journal)
    checks.check("both forms at once are refused: 2", code == 2, (code, err))


def main():
    checks = Checks()
    code, out, err = run("demo", "--for", "8s", "--port", "0", "--json")
    journal = json.loads(out.strip().splitlines()[-1])["journal"] if code == 0 else ""
    checks.check("a demo leaves a journal", code == 0, (code, out, err))
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(journal, os.path.join(folder, "journal"))
        with open(os.path.join(os.path.dirname(journal), "key")) as file:
            secrets = file.read().strip().split(":")
        builds(checks, folder, copy)
        export(checks, folder, copy, secrets)
    checks.end()


if __name__ == "__main__":
    main()
