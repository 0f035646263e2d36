"""How fast data packages cross the codec: `python tests/drivers/emstat/bench_emstat_codec.py [PACKAGES]`.

Three variables, two of them with status and range, as a long cycling run sends them; fed in chunks
of 64 KiB. Both directions together are what a simulated run spends on its wire.
"""

from __future__ import annotations

import sys

import numpy as np

from hilcycler.clock import process_time
from hilcycler_drivers.emstat.wire import Packages, ReplyDecoder, encode, packages

CHUNK = 1 << 16


def main(count: int) -> None:
    rng = np.random.default_rng(1)
    values = np.column_stack([np.arange(count) * 0.1, rng.normal(0, 1, count), rng.normal(0, 1e-3, count)])
    status = np.zeros((count, 3), np.uint8)
    run = Packages(("eb", "ab", "ba"), (False, True, True), values, status, np.full((count, 3), 24, np.uint8))
    begun = process_time()
    data = encode(run)
    encoded = process_time()
    decoder = ReplyDecoder()
    blocks = [
        reply
        for at in range(0, len(data), CHUNK)
        for reply in decoder.feed(data[at : at + CHUNK])
        if isinstance(reply, Packages)
    ]
    decoded = process_time()
    assert np.array_equal(np.concatenate([b.values for b in blocks]), packages.quantise(values))
    print(f"{count} packages, {len(data) / 1e6:.1f} MB in {len(blocks)} blocks")
    print(f"encode {encoded - begun:.2f} s, decode {decoded - encoded:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_270_000)
