"""The results of one interpreter as a JSON file, and the ratios taken from them."""

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Point

FORMAT = 2
DIRECTORY = Path(__file__).resolve().parent / "results"
INSTRUCTION = "instruction"


@dataclass
class Measurement:
    """All values of one point and contender, of one operation: a list for each process, in the order of the rounds."""

    point: Point
    contender: str
    unit: str
    loops: int
    runs: list[list[float]] = field(default_factory=list)

    def of_round(self) -> list[float]:
        """The smallest value of each round: the one that other processes disturbed least."""
        return [min(values) for values in self.runs]

    def median(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.of_round())


@dataclass
class LeftOut:
    """Why there is no measurement of a contender at these points (all of the case, when there are none)."""

    contender: str
    points: list[Point]
    reason: str


@dataclass
class CaseResults:
    """What was measured of one case, how and with which versions."""

    method: dict[str, Any]
    versions: dict[str, str]
    measurements: list[Measurement] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def find(self, point: Point, contender: str, unit: str) -> Measurement | None:
        """That measurement, or None where it was not made."""
        for each in self.measurements:
            if (each.point, each.contender, each.unit) == (point, contender, unit):
                return each
        return None


@dataclass(frozen=True)
class Ratio:
    """A contender's figure divided by another one's: the median over the rounds, and the quartiles around it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return figure(self.value)


@dataclass
class Results:
    """What was measured on one interpreter, and where."""

    interpreter: dict[str, Any]
    machine: dict[str, Any]
    cases: dict[str, CaseResults] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The interpreter's name, as "cpython-3.13"."""
        return str(self.interpreter["id"])

    @property
    def title(self) -> str:
        """The interpreter's name for a reader, as "3.13"."""
        return self.id.removeprefix("cpython-")

    def find(self, case: Case, point: Point, contender: str, unit: str | None = None) -> Measurement | None:
        """That measurement (in the case's first unit), or None where it was not made."""
        found = self.cases.get(case.name)
        return None if found is None else found.find(point, contender, unit or case.unit)

    def points(self, case: Case, unit: str | None = None) -> list[Point]:
        """The points that were measured for `case`, in its order; others after them."""
        if case.name not in self.cases:
            return []
        made = {each.point for each in self.cases[case.name].measurements if each.unit == (unit or case.unit)}
        return [point for point in case.points if point in made] + sorted(made - set(case.points), key=str)

    def contenders(self, case: Case, unit: str | None = None) -> list[str]:
        """Those that were measured for `case`, in its order."""
        if case.name not in self.cases:
            return []
        made = {each.contender for each in self.cases[case.name].measurements if each.unit == (unit or case.unit)}
        return [name for name in case.contenders if name in made]

    def ratio(
        self, case: Case, point: Point, contender: str, unit: str | None = None, against: str | None = None
    ) -> Ratio | None:
        """`contender`'s figure divided by `against`'s (the case's baseline). None where one of them was not measured.

        Each round is divided on its own: what slows the machine down for a while then slows both figures of a pair.
        """
        upper = self.find(case, point, contender, unit)
        lower = self.find(case, point, against or case.baseline, unit)
        if upper is None or lower is None:
            return None
        return middle([a / b for a, b in zip(upper.of_round(), lower.of_round(), strict=False)])

    def growth(self, case: Case, contender: str) -> float | None:
        """By how many nanoseconds an operation takes longer for one more step of the points, by least squares.

        Each point counts by its relative error, so that the largest one does not decide alone.
        """
        points: list[tuple[float, float]] = []
        for point in self.points(case):
            made = self.find(case, point, contender)
            if made is not None and isinstance(point, int):
                points.append((float(point), made.median() * 1e9))
        return slope(points)


def middle(values: list[float]) -> Ratio:
    """The median of `values` and the quartiles around it."""
    if len(values) == 1:
        return Ratio(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Ratio(median, low, high)


def slope(points: list[tuple[float, float]]) -> float | None:
    """The slope of the line through `points` whose relative errors are least in sum of squares; None for one point."""
    if len({x for x, _ in points}) < 2:
        return None
    weights = [1 / (y * y) for _, y in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    both = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
    return both / sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))


def figure(value: float) -> str:
    """`value` with as many digits as mean something: 0.048, 0.55, 1.25, 27.4, 110."""
    digits = 3 if value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def _lines(results: Results) -> Iterator[str]:
    """The cases: a line for each measurement, so that it is legible and a diff shows what changed."""
    for name, case in results.cases.items():
        content = asdict(case)
        measurements = content.pop("measurements")
        for each in measurements:
            each["runs"] = [[float(f"{value:.6g}") for value in run] for run in each["runs"]]
        lines = ",\n".join("    " + json.dumps(each) for each in measurements)
        head = json.dumps(content).removesuffix("}")
        yield f'  "{name}": {head},\n   "measurements": [\n{lines}\n   ]}}'


def save(results: Results, directory: Path = DIRECTORY) -> Path:
    """Write `results` into `directory` and return the file."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {"format": FORMAT, "interpreter": results.interpreter, "machine": results.machine}
    head = json.dumps(content, indent=1).removesuffix("\n}")
    cases = ",\n".join(_lines(results))
    path = directory / f"{results.id}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(f'{head},\n "cases": {{\n{cases}\n }}\n}}\n', encoding="utf-8")
    partial.replace(path)
    return path


def load(path: Path) -> Results:
    """The results in the file `path`. Raises ValueError where it has another format."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.pop("format", None) != FORMAT:
        raise ValueError(f"{path}: not results of format {FORMAT}; measure again")
    for name, case in content["cases"].items():
        case["measurements"] = [Measurement(**each) for each in case["measurements"]]
        case["left_out"] = [LeftOut(**each) for each in case["left_out"]]
        content["cases"][name] = CaseResults(**case)
    return Results(**content)


def load_all(directory: Path = DIRECTORY) -> list[Results]:
    """The results of all interpreters in `directory`, oldest version first."""
    found = [load(path) for path in directory.glob("*.json")]
    return sorted(found, key=lambda each: [int(part) for part in each.interpreter["version"].split(".")[:2]])
