"""`python -m ohwait`: plain functions wait side by side, drawn as a timeline, under each event loop."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

import ohwait

from ._loops import Loop
from ._terminal import Terminal

__all__ = ["demonstrate"]


class Part(NamedTuple):
    """One chain of plain functions."""

    name: str
    depth: int
    """Plain functions between the task and the one that waits."""
    waits: tuple[float, ...]
    """Seconds."""
    color: str


PARTS = (
    Part("quick", 1, (0.02,) * 9, "cyan"),
    Part("steady", 5, (0.04,) * 5, "magenta"),
    Part("deep", 50, (0.07,) * 3, "yellow"),
)


LABEL = 20
"""Columns left of the time axis."""


class Step(NamedTuple):
    """A moment at which a chain ran: started, or resumed after a wait."""

    part: Part
    at: float
    """Seconds since the first step."""


class Recording:
    """What happened, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._start: float | None = None

    def step(self, part: Part) -> None:
        now = perf_counter()
        if self._start is None:
            self._start = now
        self.steps.append(Step(part, now - self._start))

    @property
    def seconds(self) -> float:
        return max(step.at for step in self.steps)

    @property
    def switches(self) -> int:
        """How often another chain ran than the one before."""
        return sum(one.part is not other.part for one, other in zip(self.steps, self.steps[1:], strict=False))


def descend(part: Part, depth: int, recording: Recording) -> int:
    """A plain function that calls itself until `depth` plain frames lie on top of each other, and waits there."""
    if depth > 1:
        return 1 + descend(part, depth - 1, recording)
    recording.step(part)
    for seconds in part.waits:
        ohwait.sleep(seconds)
        recording.step(part)
    return 1


def record(parts: Sequence[Part]) -> Recording:
    """Run the chains side by side: a plain function too."""
    recording = Recording()
    with ohwait.scope() as scope:
        handles = [scope.spawn(descend, part, part.depth, recording) for part in parts]
    for part, handle in zip(parts, handles, strict=True):
        if handle.result() != part.depth:
            raise AssertionError(f"chain {part.name!r} came back from {handle.result()} of {part.depth} functions")
    return recording


def demonstrate(loops: Sequence[Loop], terminal: Terminal) -> bool:
    """Show the chains under each loop that can be used. Returns whether they really ran side by side everywhere."""
    terminal.line(terminal.paint("Three chains of plain functions, each waiting with ohwait.sleep()", "bold"))
    good = [_demonstrate(loop, terminal) for loop in loops if loop.usable]
    for loop in loops:
        if loop.version is None:
            terminal.line(f"\n{terminal.paint(loop.name, 'bold')}  not installed")
        elif loop.obstacle is not None:
            terminal.line(f"\n{terminal.paint(loop.name, 'bold')} {loop.version}  cannot be used: {loop.obstacle}")
    return all(good)


def _demonstrate(loop: Loop, terminal: Terminal) -> bool:
    async def main() -> Recording:
        return record(PARTS)

    recording = loop.run(main)
    waited = sum(sum(part.waits) for part in PARTS)
    terminal.line(f"\n{terminal.paint(loop.name, 'bold')} {terminal.paint(loop.version or '', 'dim')}")
    for part in PARTS:
        terminal.line(_row(part, recording, terminal))
    terminal.line(_scale(recording, terminal))
    terminal.line(_order(recording, terminal))
    side_by_side = recording.switches > len(PARTS)  # One after the other there would be fewer.
    sign, color = ("yes", "green") if side_by_side else ("no", "red")
    mark = terminal.paint(terminal.signs[sign], color)
    times = f"waited {waited * 1000:.0f} ms in all, took {recording.seconds * 1000:.0f} ms"
    terminal.line(f"  {mark} {times}, changed chains {recording.switches} times")
    return side_by_side


def _row(part: Part, recording: Recording, terminal: Terminal) -> str:
    """A chain as a line over time: a dot where it ran, a line where it waited."""
    label = f"  {part.name:<7}{part.depth:>3} deep".ljust(LABEL)
    columns = _columns(terminal)
    times = [step.at for step in recording.steps if step.part is part]
    places = [round(at / recording.seconds * (columns - 1)) for at in times]
    drawing = [" "] * columns
    drawing[places[0] : places[-1]] = terminal.signs["line"] * (places[-1] - places[0])
    for place in places:
        drawing[place] = terminal.signs["dot"]
    return label + terminal.paint("".join(drawing).rstrip(), part.color)


def _columns(terminal: Terminal) -> int:
    """Places on the time axis."""
    return max(terminal.width - LABEL - 1, 20)


def _scale(recording: Recording, terminal: Terminal) -> str:
    end = f"{recording.seconds * 1000:.0f} ms"
    return " " * LABEL + terminal.paint("0" + end.rjust(_columns(terminal) - 1), "dim")


def _order(recording: Recording, terminal: Terminal) -> str:
    """Who ran after whom, by initial."""
    room = (terminal.width - len("  order  ")) // 2
    shown = [terminal.paint(step.part.name[0], step.part.color) for step in recording.steps[:room]]
    return "  order  " + " ".join(shown) + (f" {terminal.signs['to']}" if len(recording.steps) > room else "")
