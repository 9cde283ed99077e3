"""`python -m alarmhub` and the `alarmhub` script: load the program, run the command.

It refuses to know any command.
"""

import gc
from typing import Final

COLLECT_AT: Final = 100_000
"""Of Python's collector, in new objects: nothing of a program that is being loaded is garbage, and looking
through it time and again took a seventh of the time."""


def main() -> None:
    """Do what the command line says."""
    gc.set_threshold(COLLECT_AT)
    from alarmhub.cli import main as command  # not before the collector rests

    command()


if __name__ == "__main__":
    main()
