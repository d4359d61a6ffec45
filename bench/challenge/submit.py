"""The process that sends in solutions: ``python -m bench.challenge.submit PORT RATE KEY-ID``, with the key on
its first line of input. It says now and then how many a second it sends, ends when it is told to, and after a
minute by itself."""

from __future__ import annotations

import math
import sys
from typing import Final

from bench.challenge import proofs
from bench.challenge.costs import CLIENTS, get
from bench.challenge.crowd import Crowd, Request
from bench.challenge.ground import CHALLENGED

PREPARED: Final = 2_000
PIECE_SECONDS: Final = 0.2
MOST_PIECES: Final = 300


def main() -> None:
    port, rate, name = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    key = (name, sys.stdin.readline().strip())
    right = [get(CHALLENGED, path) for path in proofs.solutions(key, CHALLENGED, PREPARED)]
    wrong = [get(CHALLENGED, path) for path in proofs.junk(key, CHALLENGED, PREPARED)]
    kinds = [Request(right, 204, b"\r\n\r\n"), Request(wrong, 403, b"}\n")]
    both = [text for pair in zip(right, wrong, strict=True) for text in pair]
    with Crowd(port, CLIENTS) as crowd:
        print("sending", flush=True)
        for _ in range(MOST_PIECES):
            if rate == math.inf:
                given = crowd.ask(Request(both, 204, b"\n"), PIECE_SECONDS)
                print(given.count / given.seconds, flush=True)
            else:
                print(sum(map(len, crowd.pace(kinds, rate, PIECE_SECONDS))) / PIECE_SECONDS, flush=True)


if __name__ == "__main__":
    main()
