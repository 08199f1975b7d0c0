"""The results of one interpreter as a JSON file, and the ratios taken from them."""

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders import NATIVE

FORMAT = 1
DIRECTORY = Path(__file__).resolve().parent / "results"


@dataclass
class Measurement:
    """All values of one case, depth and contender: one list for each process, in the order of the rounds.

    `unit` is "second", "byte" or "instruction", of one operation.
    """

    case: str
    depth: int
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
    """What was measured on one interpreter, where, how and with which versions."""

    interpreter: dict[str, Any]
    machine: dict[str, Any]
    method: dict[str, Any]
    versions: dict[str, str]
    missing: dict[str, str] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The interpreter's name, as "cpython-3.13"."""
        return str(self.interpreter["id"])

    @property
    def title(self) -> str:
        """The interpreter's name for a reader, as "3.13"."""
        return self.id.removeprefix("cpython-")

    def find(self, case: str, depth: int, contender: str, unit: str) -> Measurement | None:
        """That measurement, or None where it was not made."""
        for each in self.measurements:
            if (each.case, each.depth, each.contender, each.unit) == (case, depth, contender, unit):
                return each
        return None

    def depths(self, case: str, unit: str) -> list[int]:
        """The depths that were measured for `case`, ascending."""
        return sorted({each.depth for each in self.measurements if (each.case, each.unit) == (case, unit)})

    def ratio(self, case: str, depth: int, contender: str, unit: str, against: str = NATIVE.name) -> Ratio | None:
        """`contender`'s figure divided by `against`'s. None where one of them was not measured.

        Each round is divided on its own: what slows the machine down for a while then slows both figures of a pair.
        """
        upper, lower = self.find(case, depth, contender, unit), self.find(case, depth, against, unit)
        if upper is None or lower is None:
            return None
        pairs = [a / b for a, b in zip(upper.of_round(), lower.of_round(), strict=False)]
        if len(pairs) == 1:
            return Ratio(pairs[0], pairs[0], pairs[0])
        low, middle, high = statistics.quantiles(pairs, n=4, method="inclusive")
        return Ratio(middle, low, high)


def figure(value: float) -> str:
    """`value` with as many digits as mean something: 0.048, 0.55, 1.25, 27.4, 110."""
    digits = 3 if value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"


def save(results: Results, directory: Path = DIRECTORY) -> Path:
    """Write `results` into `directory` and return the file."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {"format": FORMAT, **asdict(results)}
    measurements = content.pop("measurements")
    for each in measurements:
        each["runs"] = [[float(f"{value:.6g}") for value in run] for run in each["runs"]]
    # A line for each measurement: legible, and a diff shows what changed.
    lines = ",\n".join("  " + json.dumps(each) for each in measurements)
    head = json.dumps(content, indent=1).removesuffix("\n}")
    path = directory / f"{results.id}.json"
    path.write_text(f'{head},\n "measurements": [\n{lines}\n ]\n}}\n', encoding="utf-8")
    return path


def load(path: Path) -> Results:
    """The results in the file `path`. Raises ValueError where it has another format."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.pop("format", None) != FORMAT:
        raise ValueError(f"{path}: not results of format {FORMAT}; measure again")
    content["measurements"] = [Measurement(**each) for each in content["measurements"]]
    return Results(**content)


def load_all(directory: Path = DIRECTORY) -> list[Results]:
    """The results of all interpreters in `directory`, oldest version first."""
    found = [load(path) for path in directory.glob("*.json")]
    return sorted(found, key=lambda each: [int(part) for part in each.interpreter["version"].split(".")[:2]])
