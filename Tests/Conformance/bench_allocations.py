"""What the release program's benchmarks promise on any machine: the frozen keys, equal work twice, and no allocation
where there may be none. Times are not judged here: they belong to the machine."""
import json
import os
import subprocess

from local_exchange import Checks, ROOT

MARTLET = os.environ.get("MARTLET", os.path.join(ROOT, ".build/release/martlet"))
KEYS = {"name", "ops", "ns_per_op", "p50", "p99", "allocations", "checksum"}
# A trading step, a quiet step, and the parts they are made of.
FREE_OF_THE_HEAP = ["fill-to-signed", "fill-to-signed-long", "quiet-step", "depth-20", "book-row", "json-scan",
                    "client-order-id", "risk-review", "sign", "journal-append-660"]


def bench(*words):
    done = subprocess.run([MARTLET, "bench", *words], capture_output=True, text=True, timeout=240, cwd=ROOT)
    return done.returncode, done.stdout, done.stderr


def main():
    checks = Checks()
    for name in FREE_OF_THE_HEAP:
        code, out, err = bench(name, "--json")
        lines = out.splitlines()
        row = json.loads(lines[-1]) if lines else {}
        checks.check(f"{name} is one object with the frozen keys", len(lines) == 1 and KEYS <= set(row), out + err)
        checks.check(f"{name} allocates nothing", code == 0 and row.get("allocations") == 0, f"exit {code}: {out}{err}")
    _, first, _ = bench("fill-to-signed", "--json")
    _, second, _ = bench("fill-to-signed", "--json")
    sums = [json.loads(text.splitlines()[-1])["checksum"] for text in (first, second)]
    checks.check("two processes sign the same orders", sums[0] == sums[1] != "", f"{sums}")
    code, out, err = bench("depth-21")
    checks.check("an unknown benchmark is named with the nearest", code == 2 and out == "" and "depth-20" in err, err)
    checks.end()


if __name__ == "__main__":
    main()
