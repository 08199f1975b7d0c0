"""Progress and figures in the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.cases import cases
from benchmarks.contenders import CONTENDERS, NATIVE
from benchmarks.report.document import absolute, cell
from benchmarks.results import Results

console = Console()


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar for as long as the block runs; yields a function of (steps done, all steps, what is done now)."""
    columns = (
        TextColumn("{task.fields[title]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", title=title)

        def step(done: int, total: int, text: str) -> None:
            bar.update(task, completed=done, total=total, description=text)

        yield step


def show(results: Results) -> None:
    """Print the ratios of one interpreter."""
    measured = {each.contender for each in results.measurements}
    others = [each for each in CONTENDERS if each is not NATIVE and each.name in measured]
    made = Table(title=f"CPython {results.interpreter['version']}: ratios to native await (below 1: faster, smaller)")
    for heading in ("", "depth", NATIVE.title, *(each.title for each in others)):
        made.add_column(heading, justify="right" if heading else "left")
    for case in cases():
        for depth in results.depths(case.name, case.unit):
            native = absolute(results.find(case.name, depth, NATIVE.name, case.unit))
            ratios = [cell(results.ratio(case.name, depth, each.name, case.unit)) for each in others]
            made.add_row(case.title, str(depth), native, *ratios)
        made.add_section()
    console.print(made)
