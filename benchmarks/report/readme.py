"""The benchmark table in README.md, between two markers."""

from benchmarks.cases import case
from benchmarks.contenders import OHWAIT, contender
from benchmarks.environment import BenchmarkError
from benchmarks.report.document import table
from benchmarks.results import Results

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
CASES = ("not_suspending", "suspend_once", "suspend_repeatedly", "memory")
DEPTHS = (1, 5, 20)
COMPARED = ("greenlet", "awaitlet")


def readme_table(found: list[Results]) -> str:
    """The table: ohwait on each interpreter, others on the newest one that has them, as ratios to native await."""
    head = ["native `await` = 1", "depth", *(f"ohwait, {each.title}" for each in found)]
    beside = [(name, each) for name in COMPARED for each in _having(found, name)[-1:]]
    head += [f"{contender(name).title}, {each.title}" for name, each in beside]
    rows = []
    for asked in map(case, CASES):
        for depth in DEPTHS:
            ratios = [each.ratio(asked, depth, OHWAIT.name) for each in found]
            if not any(ratios):
                continue
            ratios += [each.ratio(asked, depth, name) for name, each in beside]
            rows.append([asked.title, str(depth), *("-" if ratio is None else str(ratio) for ratio in ratios)])
    return table(head, rows)


def _having(found: list[Results], name: str) -> list[Results]:
    return [each for each in found if any(name in each.contenders(case(asked)) for asked in CASES)]


def readme_with(found: list[Results], readme: str) -> str:
    """`readme` with the table of `found` between its markers. Raises BenchmarkError where a marker is missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchmarkError(f"README.md has no {BEGIN} ... {END}: put both where the table belongs")
    return f"{before}{begin}\n{readme_table(found)}\n{end}{after}"
