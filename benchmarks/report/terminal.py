"""Progress and figures in the terminal."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.cases import Case
from benchmarks.contenders import contender
from benchmarks.report.document import absolute
from benchmarks.results import Results

console = Console(width=None if sys.stdout.isatty() else 140)


@contextmanager
def progress(title: str, cases: int) -> Iterator[Iterator[Callable[[int, int, str], None]]]:
    """A bar for as long as the block runs; yields one function for each of `cases` cases.

    They take (steps done, all steps, what is done now).
    """
    columns = (
        TextColumn("{task.fields[title]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", title=title, total=cases)

        def steps() -> Iterator[Callable[[int, int, str], None]]:
            for index in range(cases):

                def step(done: int, total: int, text: str, index: int = index) -> None:
                    bar.update(task, completed=index, description=f"{text} ({done}/{total})")

                yield step
            bar.update(task, completed=cases, description="done")

        yield steps()


def show(results: Results, cases: Iterable[Case]) -> None:
    """Print the ratios of one interpreter: a line for each contender."""
    console.print(f"CPython {results.interpreter['version']}: ratios (below 1: faster, smaller)", style="bold")
    for case in cases:
        if case.name not in results.cases:
            continue
        points = results.points(case)
        made = Table(title=case.title, title_justify="left", header_style="none")
        made.add_column(case.axis, no_wrap=True)
        for point in points:
            made.add_column(str(point), justify="right")
        base = [absolute(results.find(case, point, case.baseline)) for point in points]
        made.add_row(contender(case.baseline).title, *base)
        for name in results.contenders(case):
            ratios = [results.ratio(case, point, name) for point in points]
            if name != case.baseline:
                made.add_row(contender(name).title, *("-" if ratio is None else str(ratio) for ratio in ratios))
        console.print(made)
        for each in results.cases[case.name].left_out:
            where = ", ".join(str(point) for point in each.points)
            console.print(f"  {each.contender} {where}: {each.reason}", style="yellow", markup=False, highlight=False)
