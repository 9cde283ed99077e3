"""Throws mutated bytes at a codec: `python -m tests.fuzz TARGET… [--count N] [--seed S]`.

Targets are the modules `fuzz_*.py` beside this one. Prints a line each: inputs, seconds, the slowest input
and how much the process grew. Exit 1 at the first input that raised, hung or made the process grow, which is
printed so that it can be given to the target again. It refuses to guess coverage: seeds are recorded traffic.
"""

from __future__ import annotations

import argparse
import sys

from tests.support.fuzzing import Failed, run, targets


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"any of {', '.join(targets())}; none: all")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    unknown = set(options.target) - set(targets())
    if unknown:
        parser.error(f"unknown target {', '.join(sorted(unknown))}")
    for name in options.target or targets():
        try:
            report = run(name, options.count, options.seed)
        except Failed as failed:
            print(f"{name}: FAILED: {failed}", file=sys.stderr)
            return 1
        print(report, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
