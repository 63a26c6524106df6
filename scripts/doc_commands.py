"""Runs what the documentation tells the reader to type.

Every ```sh block that follows a line `<!-- run -->` in README.md and Docs/*.md is run from the root of
the checkout, each in its own bash with `set -euo pipefail`. `<!-- run: exit 2 -->` expects that exit
code. Every ```toml block that follows `<!-- check -->` is a whole configuration that `config check` must
take, with an entry in the key store for each that it names; `<!-- check: with these lines -->` is the
one before it with these lines in place of its own. Then the table of Docs/Commands.md is held to the program: each command listed in one is in the
other, and answers --help with every option that the table names and with an example, which is run as it
would be pasted: it must end by itself, or be a server that goes on. Prints `ok` or
`FAIL` per block and command, then `N passed, N failed, N skipped`.
"""
import glob
import os
import re
import signal
import subprocess
import time
import sys
import tempfile

SECONDS = 180
MARK = re.compile(r"^<!-- run(?:: exit (\d+))? -->$")


def blocks(path):
    wanted, code, body, start = None, 0, None, 0
    for number, line in enumerate(open(path, encoding="utf-8").read().split("\n"), 1):
        mark = MARK.match(line.strip())
        if body is not None:
            if line.startswith("```"):
                yield start, code, "\n".join(body)
                body = None
            else:
                body.append(line)
        elif mark:
            wanted, code = number, int(mark.group(1) or 0)
        elif wanted and line.startswith("```sh"):
            body, start, wanted = [], number, None
        elif wanted and line.strip():
            raise SystemExit(f"{path}:{wanted}: `<!-- run -->` is not followed by a ```sh block")


CHECK = re.compile(r"^<!-- check(: with these lines)? -->\n```toml\n(.*?)^```$", re.M | re.S)


def keyed(text):
    """The lines of a configuration, each with its table and key; no key when the line sets none."""
    place = ""
    for line in text.splitlines():
        place = line.strip() if line.startswith("[") else place
        yield (place, line.partition("=")[0].strip() if "=" in line else ""), line


def configurations(path):
    """The whole configurations of a page, each with its line."""
    page, whole = open(path, encoding="utf-8").read(), ""
    for found in CHECK.finditer(page):
        if found[1]:
            new = {name: line for name, line in keyed(found[2]) if name[1]}
            held = {name for name, _ in keyed(whole)}
            if not set(new) <= held:
                raise SystemExit(f"{path}: no such line to change: {sorted(set(new) - held)}")
            whole = "\n".join(new.get(name, line) for name, line in keyed(whole)) + "\n"
        else:
            whole = found[2]
        yield page[:found.start()].count("\n") + 1, whole


def checked(text):
    """What `config check` says of a configuration, in a folder with a key store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/bot.toml", "w", encoding="utf-8") as file:
            file.write(text)
        adds = "".join(
            f"echo 'a-key:a-word' | ./martlet keys add {name} --passphrase-file {folder}/phrase\n"
            for name in sorted(set(re.findall(r'"keyring:([^"]+)"', text))))
        return run(
            f"export MARTLET_KEYS={folder}/keys\n(umask 077 && echo 'three or four words' >{folder}/phrase)\n"
            f"{adds}./martlet config check {folder}/bot.toml")


def run(body):
    """Exit code and output of a piece of bash."""
    try:
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", body], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, text=True)
        return ended.returncode, ended.stdout
    except subprocess.TimeoutExpired:
        return f"none after {SECONDS} s", ""


def table(page):
    """The table's commands with the options named for each: {word: {option}}."""
    found = {}
    for line in page.split("\n"):
        cell = line.replace("\\|", " ").split("|")[1] if line.startswith("| `./martlet ") else ""
        for usage in re.findall(r"`\./martlet ([^`]*)`", cell):
            found.setdefault(usage.split()[0], set()).update(re.findall(r"--[a-z-]+", usage))
    return found


def commands():
    """What is wrong with each command, by name; empty when nothing is."""
    documented = table(open("Docs/Commands.md", encoding="utf-8").read())
    listed = re.findall(r"^  ([a-z-]+)", run("./martlet --help")[1], re.M)
    for word in sorted({*documented, *listed}):
        if word not in documented:
            yield word, "Docs/Commands.md has no row for it"
            continue
        code, text = run(f"./martlet {word} --help")
        absent = sorted(option for option in documented[word] if option not in text)
        yield word, "; ".join(filter(None, [
            "" if word in listed else "./martlet --help does not list it",
            "" if code == 0 else f"--help exits {code}",
            "" if re.search(rf"^example:(?: +|\n(?:  .*\n)*?  (?:.*[ &])?)\./martlet {word}\b", text, re.M) else "--help shows no example",
            f"--help does not know {', '.join(absent)}" if absent else ""]))


# Examples that go on until they are told to stop, and those that other steps of the gate run.
SERVERS, ELSEWHERE = {"exchange"}, {"test", "verify"}
# Those that speak with a running bot, in an order that makes sense, and what is for a bot that has died.
BESIDE, AFTER = ["status", "halt", "rearm", "flatten", "reconcile", "pause", "resume", "reload"], ["panic"]


def example_of(word):
    text = run(f"./martlet {word} --help")[1]
    return "\n".join(line.strip() for line in text.partition("\nexample:")[2].strip().split("\n"))


def tried(word, body, wanted=0):
    code, output = run(body)
    return word, "" if code == wanted else f"its example exits {code}:\n{body}\n{output[-1500:]}"


def beside_a_bot():
    """The examples that need a running bot, beside a demo's; then those for when it was killed, while its exchange goes on."""
    demo = subprocess.Popen(["./martlet", "demo", "--port", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            code, output = run("./martlet status")
            if code == 0 and "trading" in output:
                break
            time.sleep(0.1)
        for word in BESIDE:
            yield tried(word, example_of(word))
        # A demo whose bot has nothing resting ends at once when it is killed, its exchange too.
        for _ in range(100):
            code, output = run("./martlet status --json")
            if code == 0 and '"orders_working":0' not in output.replace(" ", ""):
                break
            time.sleep(0.1)
        for child in open(f"/proc/{demo.pid}/task/{demo.pid}/children").read().split():
            if b"\0run\0" in open(f"/proc/{child}/cmdline", "rb").read():
                os.kill(int(child), signal.SIGKILL)
        for word in AFTER:
            yield tried(word, example_of(word))
    finally:
        demo.terminate()
        demo.wait(timeout=90)


def examples():
    """What is wrong with each command's example, by name; empty when nothing is."""
    yield from beside_a_bot()
    for word in re.findall(r"^  ([a-z-]+)", run("./martlet --help")[1], re.M):
        example = example_of(word)
        if word in ELSEWHERE or word in BESIDE or word in AFTER or not example:
            continue
        yield tried(word, f"timeout 3 {example}", 124) if word in SERVERS else tried(word, example)


def main():
    passed = failed = 0
    # Locks and nonces of the examples' keys stay out of the user's own.
    state = tempfile.TemporaryDirectory()
    os.environ["XDG_STATE_HOME"] = state.name
    for path in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", *sorted(glob.glob("Docs/*.md"))]:
        for line, code, body in blocks(path):
            found, output = run(body)
            if found == code:
                passed += 1
                print(f"ok    {path}:{line}")
            else:
                failed += 1
                print(f"FAIL  {path}:{line}: exit {found}, expected {code}\n{body}\n{output[-2000:]}")
        for line, text in configurations(path):
            found, output = checked(text)
            if found == 0:
                passed += 1
                print(f"ok    {path}:{line} is a sound configuration")
            else:
                failed += 1
                print(f"FAIL  {path}:{line}: exit {found}\n{text}\n{output[-2000:]}")
    for word, wrong in commands():
        if wrong:
            failed += 1
            print(f"FAIL  ./martlet {word}: {wrong}")
        else:
            passed += 1
            print(f"ok    ./martlet {word} is what Docs/Commands.md says")
    for word, wrong in examples():
        if wrong:
            failed += 1
            print(f"FAIL  ./martlet {word}: {wrong}")
        else:
            passed += 1
            print(f"ok    ./martlet {word}: its example works as pasted")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
