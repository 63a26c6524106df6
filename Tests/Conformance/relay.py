"""A relay that reads what passes: it ends the client's TLS with a certificate of its own and speaks TLS to the server anew, so that a
test sees, keeps, holds back, swallows or breaks off what goes between them."""
import atexit
import bisect
import itertools
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from fault_proxy import LONG, reset

_authority = []


def authority():
    """The relays' own certificate and its key, made once a run."""
    if not _authority:
        folder = tempfile.mkdtemp(prefix="martlet-relay-")
        atexit.register(shutil.rmtree, folder, True)
        certificate, key = os.path.join(folder, "ca.pem"), os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=relay", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        _authority.extend((certificate, key))
    return _authority


class Sealed:
    """A socket under TLS, of which one thread may read while another writes: only what OpenSSL does to its bytes takes turns."""

    def __init__(self, plain, context, is_server):
        self.plain = plain
        self.lock = threading.Lock()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=is_server, server_hostname=None if is_server else "127.0.0.1")
        self._step(lambda: self.tls.do_handshake() or True)

    def _step(self, work):
        """Does `work`, which may wait for bytes of the other side; nothing when that has ended."""
        while True:
            with self.lock:
                try:
                    result = work()
                except ssl.SSLWantReadError:
                    result = None
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    return b""
                told = self.outgoing.read()
                if told:
                    self.plain.sendall(told)
                if result is not None:
                    return result
            data = self.plain.recv(65536)
            with self.lock:
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()

    def recv(self, size):
        return self._step(lambda: self.tls.read(size))

    def sendall(self, data):
        with self.lock:
            self.tls.write(data)
            self.plain.sendall(self.outgoing.read())

    def shutdown(self, how):
        self.plain.shutdown(how)

    def fileno(self):
        return self.plain.fileno()

    def close(self):
        self.plain.close()


class Relay:
    """Hands bytes on between a client and an upstream, and keeps them with the time at which they went on.

    `passes` is asked before bytes go on, with the connection's record, "sent" or "received", and the bytes: they wait until it answers,
    and are swallowed when it says no. `refuses` is asked for a client's first bytes, and resets the connection when it says yes."""

    def __init__(self, upstream, ca=None, kept=("sent", "received")):
        """`ca` is what the upstream's certificate is checked with; without one both sides are plain. `self.ca` is for the client.
        Of a long run only what is `kept` is remembered."""
        self.upstream = upstream
        self.kept = kept
        self.ca = None
        if ca:
            self.ca, key = authority()
            self.inner = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.inner.load_cert_chain(self.ca, key)
            self.inner.minimum_version = ssl.TLSVersion.TLSv1_3
            self.trust(ca)
        self.server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.server.getsockname()[1]
        self.lock = threading.Lock()
        self.connections = []
        self.passes = self.refuses = None
        threading.Thread(target=self._accept, daemon=True).start()

    def trust(self, ca):
        """Whom to believe from now on: an exchange makes itself another certificate at each start."""
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.outer = context

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        upstream = None
        try:
            upstream = socket.create_connection(("127.0.0.1", self.upstream), timeout=10)
            for side in (client, upstream):
                side.settimeout(LONG)
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sides = (Sealed(client, self.inner, True), Sealed(upstream, self.outer, False)) if self.ca else (client, upstream)
            opening = sides[0].recv(65536)
        except OSError:
            reset(client, upstream)
            return
        record = {"sent": [], "received": [], "sides": sides, "opening": opening}
        if not opening or self.refuses and self.refuses(record):
            reset(client, upstream)
            return
        with self.lock:
            self.connections.append(record)
        threading.Thread(target=self._pump, args=(sides[1], sides[0], record, "received"), daemon=True).start()
        self._pump(sides[0], sides[1], record, "sent", opening)

    def _pump(self, source, target, record, kind, data=b""):
        try:
            while data := data or source.recv(65536):
                if self.passes is None or self.passes(record, kind, data):
                    entry = [0, data]
                    if kind in self.kept:
                        with self.lock:
                            record[kind].append(entry)
                    entry[0] = time.time()  # The last thing before it leaves.
                    target.sendall(data)
                data = b""
        except OSError:
            pass
        record.pop("sides", None)  # Closed by whoever has them last.
        for side in (source, target):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def copy(self):
        with self.lock:
            return [{"sent": list(record["sent"]), "received": list(record["received"])} for record in self.connections]

    def streams(self):
        """The records of WebSockets, as they are."""
        with self.lock:
            return [record for record in self.connections if is_stream(record)]

    def reset(self, chosen=lambda record: True):
        """Breaks connections off, without a word to either side. Gives how many lived."""
        with self.lock:
            found = [record.pop("sides", ()) for record in self.connections if chosen(record)]
        return sum(reset(*(getattr(side, "plain", side) for side in sides)) == 2 for sides in found)

    def close(self):
        self.server.close()


def is_stream(record):
    """Whether a connection of a relay is a WebSocket."""
    return b"upgrade: websocket" in record["opening"].lower()


class Reader:
    """Walks through one direction of a connection and knows when each byte came."""

    def __init__(self, chunks):
        self.data = b"".join(data for _, data in chunks)
        self.moments = [moment for moment, _ in chunks]
        self.ends = list(itertools.accumulate(len(data) for _, data in chunks))
        self.at = 0

    def time(self):
        index = bisect.bisect_left(self.ends, self.at)
        return self.moments[index] if index < len(self.ends) else 0

    def take(self, count):
        part = self.data[self.at:self.at + count]
        self.at += count
        return part if len(part) == count else None

    def head(self):
        end = self.data.find(b"\r\n\r\n", self.at)
        if end < 0:
            return None
        lines = self.data[self.at:end].decode("latin-1").split("\r\n")
        self.at = end + 4
        return lines[0], [tuple(line.split(": ", 1)) for line in lines[1:]]

    def frame(self):
        start = self.take(2)
        if start is None:
            return None
        length = start[1] & 127
        if length > 125:
            more = self.take(2 if length == 126 else 8)
            if more is None:
                return None
            length = int.from_bytes(more, "big")
        mask = self.take(4) if start[1] & 128 else bytes(4)
        body = self.take(length)
        if body is None or mask is None:
            return None
        return start[0] & 15, bytes(byte ^ mask[index & 3] for index, byte in enumerate(body))


def events(relay):
    """Requests, replies and frames of all connections, by time."""
    found = []
    for record in relay.copy():
        sent, received = Reader(record["sent"]), Reader(record["received"])
        while (head := sent.head()) is not None:
            line, headers = head
            fields = {name.lower(): value for name, value in headers}
            if "upgrade" in fields:
                for reader, kind in ((sent, "frame"), (received, "push")):
                    if reader is received:
                        reader.head()
                    while (frame := reader.frame()) is not None:
                        if frame[0] == 1:
                            found.append((reader.time(), kind, json.loads(frame[1])))
                break
            body = sent.take(int(fields.get("content-length", 0)))
            if body is None:
                break
            found.append((sent.time(), "request", {"line": line, "headers": headers, "body": body}))
            answer = received.head()
            if answer is None:
                continue
            length = {name.lower(): value for name, value in answer[1]}.get("content-length", 0)
            told = received.take(int(length))
            found.append((received.time(), "reply", {"path": line.split()[1], "status": int(answer[0].split()[1]), "body": told, "to": body}))
    return sorted(found, key=lambda event: event[0])
