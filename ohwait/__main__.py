"""The command line: `python -m ohwait [demo|doctor]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from ._loops import NAMES, find
from ._terminal import COLOR_CHOICES, Terminal


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    result = argparse.ArgumentParser(
        prog="python -m ohwait",
        description="See plain functions await: a demonstration under each event loop that is installed.",
    )
    result.add_argument(
        "command",
        nargs="?",
        choices=("demo", "doctor"),
        default="demo",
        help="demo: chains of plain functions waiting side by side, as a timeline (the default); "
        "doctor: what runs here, and a self-test (exit status 1 if it fails)",
    )
    result.add_argument(
        "--loop",
        action="append",
        choices=NAMES,
        help="only this event loop; may be given several times (the default is every one that is installed)",
    )
    result.add_argument(
        "--color",
        choices=COLOR_CHOICES,
        default="auto",
        help="auto (the default) follows the terminal and the variables NO_COLOR and FORCE_COLOR",
    )
    result.add_argument("--version", action="version", version=f"ohwait {__version__}")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    command_line = parser()
    options = command_line.parse_args(arguments)
    terminal = Terminal(sys.stdout, options.color)
    loops = [find(name) for name in dict.fromkeys(options.loop or NAMES)]
    for loop in loops if options.loop else []:
        if not loop.usable:
            command_line.error(f"argument --loop: {loop.name} cannot be used: {loop.obstacle or 'it is not installed'}")
    if options.command == "doctor":
        from ._doctor import examine

        return 0 if examine(loops, terminal) else 1
    from ._demo import demonstrate

    return 0 if demonstrate(loops, terminal) else 1


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # The reader, `head` for example, has seen enough.
        sys.stderr.close()
        status = 1
    sys.exit(status)
