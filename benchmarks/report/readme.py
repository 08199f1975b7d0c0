"""The benchmark table in README.md, between two markers."""

from benchmarks.cases import cases
from benchmarks.contenders import OHWAIT
from benchmarks.environment import BenchmarkError
from benchmarks.report.document import table
from benchmarks.results import Results

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
DEPTHS = (1, 5, 20)
COMPARED = "awaitlet"


def readme_table(found: list[Results]) -> str:
    """The table: ohwait on each interpreter, greenlet on the newest one that has it, as ratios to native await."""
    with_greenlet = [each for each in found if any(m.contender == COMPARED for m in each.measurements)]
    head = ["native `await` = 1", "depth", *(f"ohwait, {each.title}" for each in found)]
    head += [f"greenlet (awaitlet), {with_greenlet[-1].title}"] if with_greenlet else []
    rows = []
    for case in cases():
        for depth in DEPTHS:
            ratios = [each.ratio(case.name, depth, OHWAIT.name, case.unit) for each in found]
            if not any(ratios):
                continue
            if with_greenlet:
                ratios.append(with_greenlet[-1].ratio(case.name, depth, COMPARED, case.unit))
            rows.append([case.title, str(depth), *("-" if ratio is None else str(ratio) for ratio in ratios)])
    return table(head, rows)


def readme_with(found: list[Results], readme: str) -> str:
    """`readme` with the table of `found` between its markers. Raises BenchmarkError where a marker is missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchmarkError(f"README.md has no {BEGIN} ... {END}: put both where the table belongs")
    return f"{before}{begin}\n{readme_table(found)}\n{end}{after}"
