"""A link of this machine's own between two network namespaces: its packets pass a loop that loses, delays, doubles, overtakes and swallows
them as it is told. It needs no module of the kernel's but tun, and what runs on it are the kernel's own TCP and its own timers."""
import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time

LIBRARY = ctypes.CDLL(None, use_errno=True)
NETWORK = 0x40000000  # CLONE_NEWNET
TUNSETIFF, TUN, NO_INFORMATION = 0x400454CA, 0x0001, 0x1000
ADDRESS, PEER, MASK, GET_FLAGS, SET_FLAGS = 0x8916, 0x8918, 0x891C, 0x8913, 0x8914  # SIOCSIFADDR and so on.
UP = 0x41  # IFF_UP and IFF_RUNNING.
# Where the far side serves is of 127/8, as a bot on paper trades on its own machine alone.
NEAR, SERVER = "10.99.0.1", "127.9.9.9"


def enter(path):
    """Takes the calling thread into a network namespace, and what it starts with it."""
    file = os.open(path, os.O_RDONLY)
    try:
        if LIBRARY.setns(file, NETWORK) != 0:
            raise OSError(ctypes.get_errno(), f"{path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(file)


def within(path, work):
    """Gives what `work` gives, done on a thread of its own in another network namespace."""
    found = []

    def run():
        try:
            enter(path)
            found.append((work(), None))
        except OSError as error:
            found.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    result, error = found[0]
    if error:
        raise error
    return result


def tun():
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22s", b"wire", TUN | NO_INFORMATION, b""))
    return file


def setting(name, *addresses):
    """Gives an interface of the calling thread's namespace its addresses, and takes it up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        def take_up():
            flags = struct.unpack_from("16xH", fcntl.ioctl(handle, GET_FLAGS, struct.pack("16s24x", name.encode())))[0]
            fcntl.ioctl(handle, SET_FLAGS, struct.pack("16sH22x", name.encode(), flags | UP))

        take_up()
        for request, address in addresses:
            fcntl.ioctl(handle, request, struct.pack("16sHH4s16x", name.encode(), socket.AF_INET, 0, socket.inet_aton(address)))
        take_up()


def side(own, peer):
    """One end of the wire, in the calling thread's namespace. Of 127/8 only 127.0.0.1 stays its own: the rest is reached by the wire."""
    file = tun()
    setting("lo", (ADDRESS, "127.0.0.1"), (MASK, "255.255.255.255"))
    with open("/proc/sys/net/ipv4/conf/all/route_localnet", "w") as switch:
        switch.write("1")
    setting("wire", (ADDRESS, own), (PEER, peer))
    return file


class Way:
    """What befalls packets in one direction."""

    def __init__(self):
        self.heal()
        self.passed = self.lost = self.doubled = 0

    def heal(self):
        self.loss = self.double = 0.0  # Shares of all packets.
        self.delay = self.jitter = 0.0  # Seconds; with jitter some overtake others.
        self.most = 1 << 16  # Larger packets vanish, and nobody is told.


class Wire:
    """The near side is a namespace of its own, `near` its path; the far side is that of the caller, who must have it for itself."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.to_far, self.to_near = Way(), Way()
        # A process keeps the near side's namespace alive.
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 86400"], stdout=subprocess.PIPE, text=True)
        self.holder.stdout.readline()
        self.near = f"/proc/{self.holder.pid}/ns/net"
        self.files = within(self.near, lambda: side(NEAR, SERVER)), side(SERVER, NEAR)
        self.is_over = False
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    def ways(self):
        return self.to_far, self.to_near

    def heal(self):
        for way in self.ways():
            way.heal()

    def _carry(self):
        near, far = self.files
        waiting, number = [], 0
        while not self.is_over:
            left = max(0, waiting[0][0] - time.monotonic()) if waiting else 0.2
            ready, _, _ = select.select([near, far], [], [], min(left, 0.2))
            now = time.monotonic()
            for file in ready:
                way, target = (self.to_far, far) if file == near else (self.to_near, near)
                for _ in range(64):
                    try:
                        packet = os.read(file, 1 << 16)
                    except BlockingIOError:
                        break
                    if len(packet) > way.most or self.random.random() < way.loss:
                        way.lost += 1
                        continue
                    way.passed += 1
                    copies = 1 + (self.random.random() < way.double)
                    way.doubled += copies - 1
                    for _ in range(copies):
                        number += 1
                        due = now + way.delay + self.random.uniform(0, way.jitter)
                        heapq.heappush(waiting, (due, number, target, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, target, packet = heapq.heappop(waiting)
                try:
                    os.write(target, packet)
                except OSError:
                    pass  # As on any link whose queue is full.

    def close(self):
        self.is_over = True
        self.thread.join()
        for file in self.files:
            os.close(file)
        self.holder.kill()
        self.holder.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
