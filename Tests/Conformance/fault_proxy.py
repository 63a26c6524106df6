"""A proxy between a client and a server that does to their bytes what networks do: cut, stall, drip, change, refuse.

It reads nothing of what passes, so it works beneath TLS as well."""
import ctypes
import os
import socket
import threading
import time

LIBRARY = ctypes.CDLL(None, use_errno=True)
# Longer than any test: with a limit Python waits by `poll`, and only what nobody waits for within `recv` can be reset.
LONG = 86_400.0


def reset(*sides):
    """Breaks connections off by a RST and nothing before it: what was on its way is lost, and there is no FIN.

    `shutdown` would send one, and `close` does nothing while another thread has the socket; to connect to no address ends it at
    once. Gives how many were connected."""
    count = 0
    for side in sides:
        if side is None or side.fileno() < 0:
            continue
        nowhere = ctypes.create_string_buffer(16)  # A `sockaddr` of the family AF_UNSPEC.
        try:
            side.getpeername()
            if LIBRARY.connect(side.fileno(), nowhere, len(nowhere)) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            count += 1
        except OSError:
            pass  # It has ended already.
        side.close()
    return count


class _Pair:
    """One client's connection and the one that was made for it."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.server = None
        self.is_half_open = False
        self.corruptions = 0

    def run(self):
        try:
            self.server = socket.create_connection(("127.0.0.1", self.proxy.upstream), timeout=10)
            for side in (self.client, self.server):
                side.settimeout(LONG)
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self.reset()
            return
        threading.Thread(target=self.pump, args=(self.client, self.server, False), daemon=True).start()
        self.pump(self.server, self.client, True)

    def pump(self, source, target, is_downstream):
        try:
            while True:
                data = source.recv(65_536)
                self.proxy.flowing.wait()
                if not data:
                    if not self.is_half_open:
                        target.shutdown(socket.SHUT_WR)
                    return
                if self.is_half_open:
                    continue  # Into the void: nobody is told.
                with self.proxy.lock:
                    self.proxy.passed += len(data)
                    if is_downstream and self.corruptions:
                        self.corruptions -= 1
                        data = data[:-1] + bytes([data[-1] ^ 0x55])
                drip = self.proxy.drip
                if drip:
                    for start in range(0, len(data), drip[0]):
                        target.sendall(data[start:start + drip[0]])
                        time.sleep(drip[1])
                else:
                    target.sendall(data)
        except OSError:
            if not self.is_half_open:
                self.reset()
        finally:
            self.proxy.forget(self)

    def reset(self):
        """Both sides see the connection break."""
        reset(self.client, self.server)

    def half_open(self):
        """The server sees the end; the client sees nothing and goes on waiting."""
        self.is_half_open = True
        try:
            self.server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class FaultProxy:
    def __init__(self, upstream):
        self.upstream = upstream
        self.lock = threading.Lock()
        self.pairs = []
        self.flowing = threading.Event()
        self.flowing.set()
        self.drip = None
        self.passed = 0
        self.accepted = 0
        self.is_refusing = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            pair = _Pair(self, client)
            with self.lock:
                self.accepted += 1
                refuses = self.is_refusing
                if not refuses:
                    self.pairs.append(pair)
            if refuses:
                pair.reset()
            else:
                threading.Thread(target=pair.run, daemon=True).start()

    def forget(self, pair):
        with self.lock:
            if pair in self.pairs and not pair.is_half_open:
                self.pairs.remove(pair)

    def _all(self):
        with self.lock:
            return list(self.pairs)

    # What networks do.

    def cut(self):
        """Every connection is reset."""
        for pair in self._all():
            pair.reset()

    def half_open(self):
        """Every connection dies on the server's side alone."""
        for pair in self._all():
            pair.half_open()

    def corrupt(self):
        """In every connection the next bytes from the server are changed."""
        with self.lock:
            for pair in self.pairs:
                pair.corruptions = 1

    def stall(self, seconds):
        """Nothing moves in either direction, and nobody is told."""
        self.flowing.clear()
        time.sleep(seconds)
        self.flowing.set()

    def refuse(self, seconds):
        """Every connection is reset, and no other is to be had."""
        self.is_refusing = True
        self.cut()
        time.sleep(seconds)
        self.is_refusing = False

    def close(self):
        self.listener.close()
        self.flowing.set()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
