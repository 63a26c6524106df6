"""Looks for a marked secret in everything that a real bot says, serves, keeps and leaves behind, when it stops in order and when it
crashes; and works the sealed store of keys as a user does."""
import base64
import collections
import json
import os
import pty
import random
import resource
import select
import signal
import string
import stat
import subprocess
import tempfile
import time
import urllib.request

from demo_processes import CONFIGURATION, MARTLET
from local_exchange import Checks, Exchange, ROOT, STATE, until

LETTERS = string.ascii_letters + string.digits
WINDOW = 8


def word(length):
    return "".join(random.SystemRandom().choice(LETTERS) for _ in range(length))


NAME, SECRET, PHRASE = "marked-" + word(8), word(48), word(32)


def spellings(secret):
    """A secret as it is, in hexadecimal digits, and in base64, wherever in a line that begins."""
    plain = secret.encode()
    found = [plain, plain.hex().encode(), plain.hex().upper().encode()]
    for shift in range(3):
        # What shares a group of three with the bytes before or behind is not the secret's alone.
        found.append(base64.b64encode(b"\0" * shift + plain)[4 if shift else 0:(shift + len(plain)) // 3 * 4])
    return found


SPELLINGS = {"the secret": spellings(SECRET), "the passphrase": spellings(PHRASE)}
# Any eight bytes in a row hold four that begin at a multiple of five.
ANCHOR, STEP = 4, 5


def holds_piece(content, text):
    """Whether eight bytes of `text` in a row are in some bytes."""
    for start in range(0, len(text) - ANCHOR + 1, STEP):
        at = content.find(text[start:start + ANCHOR])
        while at >= 0:
            first, last = start, start + ANCHOR
            while first > 0 and at + first - start > 0 and content[at + first - start - 1] == text[first - 1]:
                first -= 1
            while last < len(text) and content[at + last - start:at + last - start + 1] == text[last:last + 1]:
                last += 1
            if last - first >= WINDOW:
                return True
            at = content.find(text[start:start + ANCHOR], at + 1)
    return False


def shown(content):
    """What of the secrets is in some bytes; none of it is repeated."""
    content = content.replace(b"\0" * 64, b"\0")  # Most of what is never written to, and all of that is no piece.
    return [f"a piece of {name}" for name, texts in SPELLINGS.items() if any(holds_piece(content, text) for text in texts)]


def finder(checks):
    """The search itself, which would say nothing if it were blind."""
    near = [name for name, texts in SPELLINGS.items() for text in texts for start in range(len(text) - WINDOW + 1)
            if not holds_piece(b"\1" + text[start:start + WINDOW] + b"\2", text)]
    far = [name for name, texts in SPELLINGS.items() for text in texts for start in range(len(text) - WINDOW + 2)
           if holds_piece(b"\1" + text[start:start + WINDOW - 1] + b"\2", text)]
    checks.check("the search finds every eight bytes of each spelling, and no seven", not near and not far, (len(near), len(far)))


def files(folder):
    """Every file with content of its own; a socket has none."""
    found = [os.path.join(above, name) for above, _, names in os.walk(folder) for name in names]
    return [path for path in found if not stat.S_ISSOCK(os.lstat(path).st_mode)]


class Search:
    """What was looked at in each kind of place, and the pieces found there."""

    def __init__(self):
        self.seen, self.found, self.skipped = collections.Counter(), collections.defaultdict(list), {}

    def look(self, place, where, content):
        """`content` is bytes or paths of files."""
        for name, data in [(where, content)] if isinstance(content, bytes) else [(path, read(path)) for path in content]:
            self.seen[place] += 1
            self.found[place] += [f"{piece} in {name}" for piece in shown(data)]

    def clean(self, place):
        return self.seen[place] >= 3 and not self.found[place]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def memory(pid):
    """Pieces of the secrets in a process's memory: those in mappings that go into a core dump, and how many in others."""
    inside, outside = [], 0
    mappings, current = [], None
    with open(f"/proc/{pid}/smaps") as file:
        for line in file:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                current = [*(int(end, 16) for end in words[0].split("-")), words[1], False, words[-1]]
                mappings.append(current)
            elif words[0] == "VmFlags:":
                current[3] = "dd" in words
    with open(f"/proc/{pid}/mem", "rb", 0) as file:
        for start, end, rights, hidden, name in mappings:
            # Shared files are searched as files, and the program's own text is as it was built; dumps have neither.
            if not rights.startswith("r") or rights.endswith("s") or rights.startswith("r-x"):
                continue
            # A library's constants that nobody can write: eight bytes of many megabytes may be anything.
            if rights == "r--p" and name.startswith("/"):
                continue
            try:
                content = os.pread(file.fileno(), end - start, start)
            except OSError:
                continue  # Behind the end of a mapped file.
            found = shown(content)
            if hidden:
                outside += len(found)
            else:
                inside += [f"{piece} in {name} {rights} of {(end - start) // 1024} KB" for piece in found]
    return inside, outside


class Bot:
    """One bot on the marked key, in a folder of its own, ready once its grid rests."""

    def __init__(self, exchange, folder, key, **environment):
        name = "marked"  # The same in each life, so that the next one takes over what a crash left resting.
        self.folder, self.exchange = folder, exchange
        text = CONFIGURATION.format(rest=exchange.rest, ws=exchange.ws, folder=folder, name=name, levels=5, spacing="10", amount="0.001",
                                    more="\n[dashboard]\nport = 0\n")
        text = text.replace(f'key = "file:{folder}/key"', f'key = "{key}"\nca = "{exchange.ca}"')
        path = os.path.join(folder, name + ".toml")
        with open(path, "w") as file:
            file.write(text)
        # Told to, the runtime prints the crashed thread with registers and what they point to.
        crash = {"SWIFT_BACKTRACE": "enable=yes,color=no,interactive=no,symbolicate=off,threads=all,registers=all,timeout=30s"}
        left = self.orders()
        self.out = open(os.path.join(folder, name + ".out"), "wb")
        self.process = subprocess.Popen([MARTLET, "run", path], stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out, cwd=folder,
                                        env={**os.environ, **crash, **environment}, preexec_fn=allow_core)
        # Not those that a killed one before it left.
        self.trades = until(lambda: len(self.orders() - left) >= 10 or self.process.poll() is not None, 20) and self.process.poll() is None

    def orders(self):
        rows = self.exchange.post("/api/v4/orders", {"market": "DBTC_DUSDT", "limit": 100}, NAME, SECRET)
        return {row["orderId"] for row in rows} if isinstance(rows, list) else set()

    def port(self):
        """Of its page: the one port that it listens on."""
        inodes = set()
        for name in os.listdir(f"/proc/{self.process.pid}/fd"):
            try:
                inodes.add(os.readlink(f"/proc/{self.process.pid}/fd/{name}"))
            except OSError:
                pass
        with open("/proc/net/tcp") as file:
            rows = [line.split() for line in file][1:]
        ports = [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]
        return ports[0] if ports else 0

    def page(self):
        port, content = self.port(), b""
        for path in ("/", "/page.js", "/state", "/trail"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
                content += reply.read()
        return content

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(timeout=60)
        self.out.close()

    def crash(self, number):
        """The runtime prints where it was and lets the fault come again; a signal from outside has to be sent again."""
        self.process.send_signal(number)
        until(lambda: self.process.poll() is not None or b"Backtrace took" in self.said(), 60)
        self.end(number)

    def said(self):
        with open(self.out.name, "rb") as file:
            return file.read()


def allow_core():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def cores(folder):
    return [path for path in files(folder) if os.path.basename(path).startswith("core")]


def live(checks, search, bot, how):
    """What there is to see of a bot while it runs."""
    checks.check(f"a bot whose key comes from {how} trades", bot.trades, bot.said()[-600:])
    if not bot.trades:
        return
    search.look("page", how, bot.page())
    for name in ("environ", "cmdline"):
        search.look("process", f"{name} ({how})", read(f"/proc/{bot.process.pid}/{name}"))
    try:
        inside, outside = memory(bot.process.pid)
    except PermissionError:
        search.skipped["memory"] = "needs the right to read another process's memory"
        return
    search.seen["memory"] += outside > 0
    search.found["memory"] += inside


def crash(checks, search, bot, number, how):
    name = signal.Signals(number).name
    bot.crash(number)
    said = bot.said()
    checks.check(f"{name} ends it, and it prints where it was ({how})",
                 bot.process.returncode == -number and b"Thread 0" in said and b"Backtrace took" in said, (bot.process.returncode, said[-300:]))
    search.look("words", bot.out.name, said)
    found = cores(bot.folder)
    if not found:
        search.skipped["core"] = "needs the right to leave core files in the working folder"
    for path in found:
        checks.tell(f"{os.path.getsize(path) // 1_000_000} MB of core")
        search.look("core", f"the core of {name}", read(path))
        search.seen["core"] += 1
        os.unlink(path)


def left_behind(checks, search, folder, how):
    rest = [path for path in files(folder) if not path.endswith("key")] + files(STATE)
    checks.check(f"journal, alerts, lock and nonces are there ({how})",
                 all(any(path.endswith(end) for path in rest) for end in (".mjl", ".lock", ".nonce", ".toml")), rest)
    search.look("files", how, rest)
    for journal in {os.path.dirname(path) for path in rest if path.endswith(".mjl")}:
        for form in ("--json", "--csv"):
            done = subprocess.run([MARTLET, "journal", "export", form, journal], capture_output=True, cwd=ROOT)
            checks.check(f"its journal is exported ({how}, {form})", done.returncode == 0 and len(done.stdout) > 1_000, done.stderr)
            search.look("export", f"an export of {journal}", done.stdout + done.stderr)


def conclude(checks, search):
    """What the three bots showed."""
    def found(place):
        return search.found[place] or f"looked at {search.seen[place]}"

    checks.check("M39 no piece of a marked secret is on the page or in the status of a bot", search.clean("page"), found("page"))
    checks.check("M39 no piece of it is in the command line or the environment that the system shows of a bot", search.clean("process"), found("process"))
    checks.check("M39 no piece of it is in what a bot prints, in the end and when it crashes", search.clean("words"), found("words"))
    checks.check("M39 no piece of it is in journal, alerts, locks, nonces, the sealed store, or any other file of a bot", search.clean("files"), found("files"))
    checks.check("M39 no piece of it is in an export of a journal", search.clean("export"), found("export"))
    if "memory" in search.skipped:
        checks.skip("M39 no piece of it is in memory that a core dump has", search.skipped["memory"])
    else:
        checks.check("M39 no piece of it is in memory that a core dump has; it is found in memory that no dump has", search.clean("memory"), found("memory"))
    if "core" in search.skipped:
        checks.skip("M39 no piece of it is in the core files of two crashes", search.skipped["core"])
    else:
        checks.check("M39 no piece of it is in the core files of two crashes", search.clean("core"), found("core"))


def keys(*words, line=None, phrase=None, **more):
    environment = {**os.environ, **more.pop("environment", {})}
    if phrase:
        environment["MARTLET_PASSPHRASE"] = phrase
    done = subprocess.run([MARTLET, "keys", *words], input=line, capture_output=True, text=True, timeout=60, env=environment, start_new_session=True, **more)
    return done.returncode, done.stdout, done.stderr


def bots(checks):
    search = Search()
    with Exchange("--speed", "10", "--account", f"{NAME}:{SECRET}", "--balance", "DBTC=10", "--balance", "DUSDT=1000000",
                  plain=False) as exchange:
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "key"), "w") as file:
                file.write(f"{NAME}:{SECRET}\n")
            os.chmod(file.name, 0o600)
            bot = Bot(exchange, folder, f"file:{folder}/key")
            live(checks, search, bot, "a file")
            bot.end(signal.SIGTERM)
            checks.check("it ends in order (a file)", bot.process.returncode == 0, bot.said()[-600:])
            search.look("words", bot.out.name, bot.said())
            left_behind(checks, search, folder, "a file")
        with tempfile.TemporaryDirectory() as folder:
            bot = Bot(exchange, folder, "env:MARKED", MARKED=f"{NAME}:{SECRET}")
            live(checks, search, bot, "a variable")
            crash(checks, search, bot, signal.SIGABRT, "a variable")
            left_behind(checks, search, folder, "a variable")
        with tempfile.TemporaryDirectory() as folder:
            store = os.path.join(folder, "keys.sealed")
            code, out, err = keys("add", "marked", line=f"{NAME}:{SECRET}\n", phrase=PHRASE, environment={"MARTLET_KEYS": store})
            checks.check("M134 a key is sealed in the store, by a pipe and a passphrase from the environment",
                         code == 0 and "keyring:marked" in out and not shown((out + err).encode()), (code, len(out + err)))
            bot = Bot(exchange, folder, "keyring:marked", MARTLET_KEYS=store, MARTLET_PASSPHRASE=PHRASE)
            live(checks, search, bot, "the sealed store")
            path = os.path.join(folder, "marked.toml")
            code, out, err = keys("test", "marked", "--endpoint", path, phrase=PHRASE, environment={"MARTLET_KEYS": store})
            checks.check("M38 beside a bot that uses it, keys test is refused and names the bot", code == 3 and "“marked”" in err, (code, err))
            crash(checks, search, bot, signal.SIGSEGV, "the sealed store")
            left_behind(checks, search, folder, "the sealed store")
            probe(checks, exchange, store, path)
    conclude(checks, search)


def probe(checks, exchange, store, path):
    """keys test against an exchange: what a key may do, and what nobody is told."""
    environment = {"MARTLET_KEYS": store}
    code, out, err = keys("test", "marked", "--endpoint", path, "--json", phrase=PHRASE, environment=environment)
    told = json.loads(out) if out.strip() else {}
    checks.check("keys test tells what a key may do, and that nobody is told whether it may withdraw",
                 code == 0 and told.get("may") == {"balances": "yes", "trade": "yes", "kill_switch": "yes", "stream_token": "yes", "withdraw": "not told"}, (code, out, err))
    code, out, err = keys("add", "refused", line=f"{NAME}-unknown:{SECRET}\n", phrase=PHRASE, environment=environment)
    code, out, err = keys("test", "refused", "--endpoint", path, phrase=PHRASE, environment=environment)
    checks.check("and ends with 1 and the venue's words when it refuses the key", code == 1 and "HTTP 401" in out and "does not fit the key" in out, (code, out, err))
    checks.check("M39 a key that the exchange refuses is told without a piece of its secret", not shown((out + err).encode()), "a piece")


def store(checks):
    """The sealed store as a user works it: what goes wrong, in words, and exit codes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "new", "keys.sealed")
        environment = {"MARTLET_KEYS": path}

        def tells(name, result, code, *words):
            found, out, err = result
            checks.check(name, found == code and all(word in out + err for word in words) and "Fatal" not in err
                         and not shown((out + err).encode()), (found, (out + err)[-300:]))

        line = f"{NAME}:{SECRET}\n"
        tells("M134 a list of no store says how one is made", keys("list", environment=environment), 0, "keys add NAME")
        tells("a new passphrase that is short is refused", keys("add", "one", line=line, phrase="short", environment=environment), 2, "at least 12")
        tells("nobody to ask for a passphrase is told", keys("add", "one", line=line, environment=environment), 2, "--passphrase-file", "MARTLET_PASSPHRASE")
        tells("a key is added", keys("add", "one", line=line, phrase=PHRASE, environment=environment), 0, "keyring:one")
        modes = [os.stat(each).st_mode & 0o777 for each in (path, os.path.dirname(path))]
        checks.check("M134 M138 the store is its owner's alone, and so is the folder made for it", modes == [0o600, 0o700], modes)
        tells("a name that is taken is refused", keys("add", "one", line=line, phrase=PHRASE, environment=environment), 2, "keys remove one")
        tells("M39 a secret on the command line is refused and not repeated", keys("add", "two", line.strip(), environment=environment), 2, "standard input")
        tells("a line of another shape is refused and not repeated", keys("add", "two", line=SECRET, phrase=PHRASE, environment=environment), 2, "no colon")
        tells("another passphrase is refused", keys("add", "two", line=line, phrase=PHRASE[1:], environment=environment), 2, "the passphrase does not open it")
        file = os.path.join(folder, "phrase")
        with open(file, "w") as out:
            out.write(PHRASE + "\n")
        os.chmod(file, 0o644)
        given = ("add", "two", "--slot", "spot", "--json", "--passphrase-file", file)
        tells("M138 a passphrase file that others may read is refused", keys(*given, line=line, environment=environment), 2, "chmod 600")
        os.chmod(file, 0o600)
        result = keys(*given, line=line, environment=environment)
        tells("its passphrase opens the store", result, 0)
        checks.check("with --json there is one object", set(json.loads(result[1])) == {"name", "venue", "slot", "fingerprint", "added", "store"}, result)
        told = json.loads(keys("list", "--json", environment=environment)[1])
        checks.check("the list shows name, venue, slot, fingerprint and date of each",
                     [(row["name"], row["venue"], row["slot"], len(row["fingerprint"]), len(row["added"])) for row in told["keys"]]
                     == [("one", "whitebit", "any", 12, 20), ("two", "whitebit", "spot", 12, 20)], told)
        config = os.path.join(folder, "bot.toml")
        with open(config, "w") as out:
            out.write(CONFIGURATION.format(rest="http://127.0.0.1:1", ws="ws://127.0.0.1:1", folder=folder, name="x", levels=1, spacing="1", amount="1",
                                           more="").replace(f"file:{folder}/key", "keyring:onne"))
        done = subprocess.run([MARTLET, "config", "check", config], capture_output=True, text=True, env={**os.environ, **environment})
        checks.check("M134 a configuration that names no key of the store is told the nearest", done.returncode == 2 and f"{config}:" in done.stderr
                     and "did you mean keyring:one?" in done.stderr, (done.returncode, done.stderr))
        with open(path, "rb") as sealed:
            whole = sealed.read()
        for name, content, words in (("changed", whole[:100] + bytes([whole[100] ^ 1]) + whole[101:], "not those that were written"),
                                     ("cut short", whole[:-30], "the end is missing"),
                                     ("of a later version", whole[:8] + b"\2\0" + whole[10:], "a key store of version 2"),
                                     ("of something else", b"hello", "expected a key store")):
            with open(path, "wb") as out:
                out.write(content)
            tells(f"M134 a store that is {name} says so", keys("remove", "one", phrase=PHRASE, environment=environment), 2, words)
        with open(path, "wb") as out:
            out.write(whole)
        os.chmod(path, 0o604)
        tells("M138 a store that others may read is refused", keys("list", environment=environment), 2, "chmod 600")
        os.chmod(path, 0o600)
        tells("a key is removed", keys("remove", "one", phrase=PHRASE, environment=environment), 0, "removed")
        tells("and is unknown then, with the nearest name", keys("remove", "tow", phrase=PHRASE, environment=environment), 2, "did you mean two?")
        terminal(checks, os.path.join(folder, "typed.sealed"))


def terminal(checks, path):
    """At a terminal: what is typed is not shown, and Ctrl-C leaves the terminal as it was."""

    def typed(*lines):
        process, end = pty.fork()
        if process == 0:
            os.environ["MARTLET_KEYS"] = path
            os.execv(MARTLET, [MARTLET, "keys", "add", "typed"])
        text, status = b"", None
        for line in (*lines, None):
            began = time.monotonic()
            while time.monotonic() - began < 10 and (line is None or not text.endswith(b": ")):
                if select.select([end], [], [], 0.1)[0]:
                    try:
                        data = os.read(end, 4096)
                    except OSError:
                        break
                    if not data:
                        break
                    text += data
            if line is not None:
                os.write(end, line.encode())
                text += b"|"
        status = os.waitpid(process, 0)[1]
        os.close(end)
        return os.waitstatus_to_exitcode(status), text

    code, text = typed(PHRASE + "\n", PHRASE + "\n", NAME + "x\x7f\n", SECRET + "\n")
    checks.check("a key, its secret and a new passphrase are asked for at the terminal", code == 0 and b"Once more: " in text and b"Secret: " in text, (code, len(text)))
    checks.check("M39 no key, secret or passphrase that is typed at the terminal is shown", not shown(text) and NAME.encode() not in text, "shown")
    os.unlink(path)
    code, text = typed(PHRASE + "\n", PHRASE[:-1] + "\n")
    checks.check("two new passphrases that differ make no store", code == 2 and b"differ" in text and not os.path.exists(path), (code, text[-200:]))
    code, text = typed(PHRASE + "\x03")
    checks.check("Ctrl-C ends it with 130 and makes no store", code == 130 and not os.path.exists(path), (code, text[-200:]))


def main():
    checks = Checks()
    finder(checks)
    bots(checks)
    store(checks)
    checks.end()


if __name__ == "__main__":
    main()
