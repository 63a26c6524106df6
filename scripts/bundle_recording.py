#!/usr/bin/env python3
"""Turns a recorded market (Parquet: book, trades, best bid/offer) into the compact form that ships with Martlet.

    python3 scripts/bundle_recording.py            writes Fixtures/Markets/<name>.mmr and <name>_bbo.bin
    python3 scripts/bundle_recording.py --check    rebuilds both and compares them with what is checked in

Needs pyarrow; nothing at run time needs this script. The layout is described in Fixtures/Markets/README.md and read by
Sources/Edges/History.
"""
import argparse
import hashlib
import pathlib
import struct
import sys
import zlib

NAME = "binance-spot_BTCUSDT_20240808T2354"
# The inputs, as the data's own README names them: another file under the same name is another market.
SHA256 = {
    "book": "2cd0dda8f52db35a1efbe01b2b14a970f312fb132538b782e1482e70ca42d6ca",
    "trades": "6850731954ea2ab58f878acbfb74acd34af4ba7977a3324f041b830be67aa93c",
    "bbo": "c135fcc40389cfcb57f3648c06ec63e2a435b4efd08b8cfc79499421479cd515",
}
MAGIC = b"MMR\r\n\x1a\n\0"
VERSION = 1
MARKET, BEST_BID_OFFER = 1, 2
SNAPSHOT, CHANGES, TRADE = 0, 1, 2


def varint(out, value):
    assert value >= 0, value
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def zigzag(out, value):
    varint(out, value << 1 if value >= 0 else (-value << 1) - 1)


class Columns:
    """Named columns of varints, written in the order in which they were first named."""

    def __init__(self, *names):
        self.names = {n: bytearray() for n in names}

    def __getitem__(self, name):
        return self.names[name]

    def content(self):
        return b"".join(struct.pack("<I", len(c)) + bytes(c) for c in self.names.values())


def load(folder, what):
    import pyarrow.parquet as parquet

    path = folder / f"{NAME}_{what}.parquet"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256[what]:
        sys.exit(f"{path.name}: SHA-256 is {found}, expected {SHA256[what]}: not the recording this script knows")
    file = parquet.ParquetFile(path)
    meta = {k.decode(): v.decode() for k, v in file.metadata.metadata.items() if k != b"ARROW:schema"}
    return {n: c.to_pylist() for n, c in zip(file.schema_arrow.names, file.read().columns)}, meta


def whole(values, places):
    """The fewest decimal places that hold every value, and the divisor that gets there."""
    divisor = 1
    while places > 0 and all(v % (divisor * 10) == 0 for v in values):
        divisor, places = divisor * 10, places - 1
    return divisor, places


def frames_of(book, trades):
    """Frames in the order of arrival: (sequence, kind, rows of its table)."""
    frames, start = [], 0
    for end in range(1, len(book["frame_seq"]) + 1):
        if end == len(book["frame_seq"]) or book["frame_seq"][end] != book["frame_seq"][start]:
            kind = SNAPSHOT if book["flags"][start] & 1 else CHANGES
            assert book["flags"][end - 1] & 2 or kind == SNAPSHOT, "a frame without its last row"
            sides = book["side"][start:end]
            assert sides == sorted(sides, reverse=True) and 0 not in sides, "asks before bids, or an empty frame"
            frames.append((book["frame_seq"][start], kind, range(start, end)))
            start = end
    frames += [(s, TRADE, range(i, i + 1)) for i, s in enumerate(trades["frame_seq"])]
    frames.sort(key=lambda f: f[0])
    assert len({f[0] for f in frames}) == len(frames), "two frames with one sequence"
    return frames


def market(book, trades, step):
    c = Columns("sequence", "kind", "received", "exchange", "first_update", "update_span", "bids", "asks",
                "price", "quantity", "trade_id", "trade_side", "trade_price", "trade_quantity")
    sequence = received = lag = update = trade_id = trade_price = 0
    near = {1: 0, -1: 0}
    frames = frames_of(book, trades)
    for number, kind, rows in frames:
        table, first = (trades if kind == TRADE else book), rows[0]
        zigzag(c["sequence"], number - sequence)
        sequence = number
        c["kind"].append(kind)
        zigzag(c["received"], table["ts_recv_ns"][first] - received)
        received = table["ts_recv_ns"][first]
        # Nearly constant: the recorder's clock ran behind the venue's. A snapshot has no exchange time, and says 0.
        moment = table["ts_event_ns"][first]
        if kind == SNAPSHOT:
            assert moment == 0
        else:
            zigzag(c["exchange"], moment - received - lag)
            lag = moment - received
        if kind == TRADE:
            assert table["kind"][first] == 0, "not an ordinary trade"
            zigzag(c["trade_id"], table["trade_id"][first] - trade_id)
            trade_id = table["trade_id"][first]
            c["trade_side"].append(0 if table["side"][first] == 1 else 1)
            zigzag(c["trade_price"], table["price"][first] - trade_price)
            trade_price = table["price"][first]
            varint(c["trade_quantity"], table["qty"][first] // step)
            continue
        zigzag(c["first_update"], table["first_update_id"][first] - update)
        update = table["last_update_id"][first]
        varint(c["update_span"], update - table["first_update_id"][first])
        for side, name in ((1, "bids"), (-1, "asks")):
            own = [i for i in rows if table["side"][i] == side]
            varint(c[name], len(own))
            price = near[side]
            for place, i in enumerate(own):
                zigzag(c["price"], table["price"][i] - price)
                price = table["price"][i]
                if place == 0:
                    near[side] = price
                varint(c["quantity"], table["qty"][i] // step)
    return frames, c.content()


def best_bid_offer(book, bbo, step):
    """The venue's own best bid and offer at the last update at or before each frame of changes."""
    c = Columns("frame_update", "update", "bid_price", "bid_quantity", "ask_price", "ask_quantity")
    last = {n: 0 for n in c.names}
    at = count = 0
    for first, (sequence, flags, update) in enumerate(zip(book["frame_seq"], book["flags"], book["last_update_id"])):
        if flags & 1 or (first and book["frame_seq"][first - 1] == sequence):
            continue
        while at + 1 < len(bbo["update_id"]) and bbo["update_id"][at + 1] <= update:
            at += 1
        assert bbo["update_id"][at] <= update
        row = dict(frame_update=update, update=bbo["update_id"][at], bid_price=bbo["bid_price"][at], bid_quantity=bbo["bid_qty"][at] // step,
                   ask_price=bbo["ask_price"][at], ask_quantity=bbo["ask_qty"][at] // step)
        for name, value in row.items():
            zigzag(c[name], value - last[name])
            last[name] = value
        count += 1
    return count, c.content()


def packed(kind, header, content):
    import pyarrow

    text = "".join(f"{k}={v}\n" for k, v in header.items()).encode()
    small = pyarrow.Codec("zstd", compression_level=19).compress(content, asbytes=True)
    head = MAGIC + struct.pack("<HHIII", VERSION, kind, len(text), len(small), len(content))
    body = head + text + small
    return body + struct.pack("<I", zlib.crc32(body))


def unpacked(data):
    import pyarrow

    version, kind, text, small, content = struct.unpack_from("<HHIII", data, 8)
    assert data[:8] == MAGIC and version == VERSION and len(data) == 24 + text + small + 4
    assert zlib.crc32(data[:-4]) == struct.unpack("<I", data[-4:])[0], "checksum"
    whole_content = pyarrow.Codec("zstd").decompress(data[24 + text:24 + text + small], content, asbytes=True)
    return kind, data[24:24 + text].decode(), whole_content


def build(folder):
    (book, meta), (trades, other), (bbo, third) = load(folder, "book"), load(folder, "trades"), load(folder, "bbo")
    assert meta["scale.price"] == other["scale.price"] == third["scale.bid_price"]
    assert meta["scale.qty"] == other["scale.qty"] == third["scale.bid_qty"]
    step, quantity_places = whole(book["qty"] + trades["qty"] + bbo["bid_qty"] + bbo["ask_qty"], int(meta["scale.qty"]))
    frames, content = market(book, trades, step)
    snapshot_rows = sum(f & 1 for f in book["flags"])
    received = book["ts_recv_ns"] + trades["ts_recv_ns"]
    header = {
        "venue": meta["venue"], "symbol": meta["symbol"], "base": "BTC", "quote": "USDT",
        "price_places": meta["scale.price"], "quantity_places": quantity_places,
        "frames": len(frames), "snapshot_rows": snapshot_rows, "book_rows": len(book["price"]), "trades": len(trades["price"]),
        "first_received_ns": min(received), "last_received_ns": max(received),
        "recorder_clock": meta["recorder_clock"],
        "source": "nkaz001/hftbacktest examples/spot/btcusdt_20240808.gz + _20240809.gz",
        "license": "MIT, Copyright (c) 2022 nkaz001@protonmail.com",
        "content_sha256": hashlib.sha256(content).hexdigest(),
    }
    made = {f"{NAME}.mmr": packed(MARKET, header, content)}
    count, content = best_bid_offer(book, bbo, step)
    header = {
        "venue": meta["venue"], "symbol": meta["symbol"], "price_places": meta["scale.price"], "quantity_places": quantity_places,
        "rows": count, "source": header["source"], "license": header["license"],
        "content_sha256": hashlib.sha256(content).hexdigest(),
    }
    made[f"{NAME}_bbo.bin"] = packed(BEST_BID_OFFER, header, content)
    return made


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ticks", type=pathlib.Path, default=root.parent / "shared/data/ticks", help="folder of the Parquet files")
    p.add_argument("--to", type=pathlib.Path, default=root / "Fixtures/Markets", help="folder of the bundled files")
    p.add_argument("--check", action="store_true", help="write nothing; fail unless the files there hold the same")
    a = p.parse_args()
    wrong = 0
    for name, data in build(a.ticks).items():
        path = a.to / name
        if not a.check:
            path.write_bytes(data)
            print(f"{path.name}: {len(data):,} bytes")
        # Another zstd may pack the same content into other bytes, so what is packed is compared.
        elif not path.exists() or unpacked(path.read_bytes()) != unpacked(data):
            print(f"{path.name}: differs from what its source gives; run this script without --check")
            wrong = 1
        else:
            print(f"{path.name}: as its source gives")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
