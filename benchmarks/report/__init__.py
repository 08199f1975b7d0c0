"""The report: RESULTS.md with its plots, and the table in README.md. All of it is made from the files in results/."""

from pathlib import Path

from benchmarks.environment import ROOT, BenchmarkError
from benchmarks.report.document import document
from benchmarks.report.readme import readme_with
from benchmarks.results import DIRECTORY, Results, load_all

DOCUMENT = Path(__file__).resolve().parent.parent / "RESULTS.md"
README = ROOT / "README.md"


def _read(directory: Path) -> list[Results]:
    try:
        found = load_all(directory)
    except ValueError as error:
        raise BenchmarkError(str(error)) from error
    if not found:
        raise BenchmarkError(f"no results in {directory}: run `python -m benchmarks` first")
    return found


def write(directory: Path = DIRECTORY) -> list[Path]:
    """Write the report of the results in `directory` and return its files.

    For the project's own results that is RESULTS.md, the plots and README.md's table;
    for others a RESULTS.md and plots beside them.
    """
    from benchmarks.report.plots import plot_all

    found = _read(directory)
    own = directory == DIRECTORY
    path = DOCUMENT if own else directory / "RESULTS.md"
    plots = plot_all(found, path.parent / "plots")
    path.write_text(document(found), encoding="utf-8")
    written = [path, *plots]
    if own and README.exists():
        README.write_text(readme_with(found, README.read_text(encoding="utf-8")), encoding="utf-8")
        written.append(README)
    return written


def check(directory: Path = DIRECTORY) -> list[str]:
    """What of the report differs from the results: one text for each file, empty when nothing does."""
    found = _read(directory)
    cure = "run `python -m benchmarks --report`"
    differences = []
    readme = README.read_text(encoding="utf-8")
    if readme_with(found, readme) != readme:
        differences.append(f"README.md: the benchmark table differs from the results; {cure}")
    if not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != document(found):
        differences.append(f"RESULTS.md differs from the results; {cure}")
    return differences
