"""The table again, from a raw file alone: ``python -m bench.floods.recompute FILE``.

Prints one JSON object for each run, then one for each contestant in each scenario.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from bench.floods.figures import Figures, figures, together
from bench.floods.records import read_raw


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.floods.recompute", description=__doc__)
    parser.add_argument("file", type=Path, help="what python -m bench.floods --raw FILE wrote")
    runs = [figures(run) for run in read_raw(parser.parse_args().file)]
    for each in runs:
        print(json.dumps(asdict(each)))
    several: dict[tuple[str, str], list[Figures]] = {}
    for each in runs:
        several.setdefault((each.scenario, each.contestant), []).append(each)
    for (_, contestant), those in several.items():
        print(json.dumps({"contestant": contestant, **together(those)}))


if __name__ == "__main__":
    main()
