"""Text for a terminal: colours and line-drawing characters where the stream has them, plain ASCII where it has not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TextIO

__all__ = ["COLOR_CHOICES", "Terminal"]

COLOR_CHOICES = ("auto", "always", "never")

_CODES = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36",
}  # fmt: skip
_DRAWN = {"dot": "●", "line": "─", "yes": "✓", "no": "✗", "to": "…"}
_TYPED = {"dot": "o", "line": "-", "yes": "+", "no": "x", "to": ".."}


class Terminal:
    """Writes lines to a stream.

    `color` is one of `COLOR_CHOICES`; "auto" follows the environment (NO_COLOR, FORCE_COLOR, TERM; see no-color.org
    and force-color.org) and whether the stream is a terminal.
    """

    def __init__(self, stream: TextIO, color: str = "auto", environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self.colored = color == "always" or (color == "auto" and _wants_color(stream, environ))
        self.signs = _DRAWN if _can_encode(stream, "".join(_DRAWN.values())) else _TYPED
        self.width = min(shutil.get_terminal_size((80, 24)).columns, 100)

    def paint(self, text: str, *styles: str) -> str:
        """`text` in the given styles (names of colours, "bold", "dim")."""
        if not self.colored or not styles:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        """Write one line, at once: the reader watches a demonstration as it goes on."""
        self._stream.write(text.rstrip() + "\n")
        self._stream.flush()


def _wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb" and (os.name != "nt" or "WT_SESSION" in environ)


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
