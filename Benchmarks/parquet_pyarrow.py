"""Reads the columns that a replay of a book needs with pyarrow, on one thread: what `./martlet bench parquet-rows` compares itself with.

    python3 Benchmarks/parquet_pyarrow.py ROUNDS FIRST SECOND

Prints the best time of each file, and the sum of its prices, so that both are known to have read the same.
"""
import json
import sys
import time

import pyarrow
import pyarrow.compute
import pyarrow.parquet

COLUMNS = ["frame_seq", "ts_recv_ns", "flags", "side", "price", "qty"]


def main():
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    best, total = [], 0
    for path in sys.argv[2:4]:
        spans = []
        for _ in range(int(sys.argv[1])):
            begin = time.perf_counter_ns()
            table = pyarrow.parquet.read_table(path, columns=COLUMNS, use_threads=False)
            spans.append(time.perf_counter_ns() - begin)
        total = pyarrow.compute.sum(table["price"]).as_py()
        best.append(min(spans))
    print(json.dumps({"first_ns": best[0], "second_ns": best[1], "sum": total}))


if __name__ == "__main__":
    main()
