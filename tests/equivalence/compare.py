"""Holds a rewritten run against its baseline, knowing the tests that cannot pass rewritten."""

import platform
import sysconfig
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.specifiers import SpecifierSet

from .runs import PASSED, Module, Run, run

EXCEPTIONS = Path(__file__).with_name("exceptions.toml")
EXCEPTIONS_THROUGH_C = Path(__file__).with_name("exceptions_through_c.toml")
"""More tests that cannot pass where C functions stand between the plain ones."""


def exceptions_here(path: Path = EXCEPTIONS, version: str | None = None) -> dict[str, str]:
    """The tests that cannot pass on this interpreter, with the reason of each."""
    version = version or platform.python_version()
    listed = tomllib.loads(path.read_text(encoding="utf-8"))
    here = {}
    for test, entry in listed.items():
        if not entry["reason"].strip():
            raise ValueError(f"{path.name}: {test}: the reason is missing")
        if unknown := set(entry) - {"reason", "python", "debug"}:
            raise ValueError(f"{path.name}: {test}: unknown keys {sorted(unknown)}")
        debug = bool(sysconfig.get_config_var("Py_DEBUG"))
        if version_matches(version, entry.get("python", "")) and entry.get("debug", debug) == debug:
            here[test] = entry["reason"]
    return here


def exceptions_for(through_c: bool) -> dict[str, str]:
    """Those of exceptions.toml, and with `through_c` those of exceptions_through_c.toml as well."""
    return exceptions_here() | (exceptions_here(EXCEPTIONS_THROUGH_C) if through_c else {})


def version_matches(version: str, specifiers: str) -> bool:
    """Whether `version` (as 3.13.0 or 3.15.0rc1) is in a range such as ``>=3.12,<3.14``; all are in ``""``."""
    return SpecifierSet(specifiers, prereleases=True).contains(version)


@dataclass
class Comparison:
    """What became of one module's tests."""

    module: Module
    baseline: Run
    rewritten: Run
    lost: dict[str, str] = field(default_factory=dict)
    """Tests that pass unmodified but not rewritten and are not listed, with what happened."""
    stale: list[str] = field(default_factory=list)
    """Tests listed as exceptions that pass."""
    unsteady: list[str] = field(default_factory=list)
    """Tests that passed when the rewritten module was run a second time."""

    @property
    def good(self) -> bool:
        return not (self.lost or self.stale or self.rewritten.trouble)

    def summary(self) -> str:
        """One line."""
        passed = sum(map(self.baseline.passed, self.baseline.outcomes))
        kept = sum(map(self.rewritten.passed, self.rewritten.outcomes))
        parts = [f"{self.module.name}: {self.rewritten.rewritten} awaits rewritten"]
        parts += [f"{self.rewritten.lifted} suspensions"] if self.rewritten.lifted else []
        parts += [f"{passed} tests pass unmodified in {self.baseline.seconds:.1f} s"]
        parts += [f"{kept} rewritten in {self.rewritten.seconds:.1f} s"]
        failed = [test for test, outcome in self.baseline.outcomes.items() if outcome not in (*PASSED, "skipped")]
        if failed:
            parts += [f"{len(failed)} fail unmodified: {', '.join(failed[:3])}{' ...' * (len(failed) > 3)}"]
        parts += [f"unsteady: {', '.join(self.unsteady)}"] if self.unsteady else []
        return ", ".join(parts)

    def text(self) -> str:
        """Everything that is not as it should be."""
        lines = [self.summary()]
        for test, outcome in self.lost.items():
            lines += [f"\n{test}: passed unmodified, {outcome} rewritten", self.rewritten.details.get(test, "")]
        lines += [f"\n{test}: is in a list of exceptions, but passes; take it out" for test in self.stale]
        if self.rewritten.trouble:
            lines += ["\nrewritten: " + self.rewritten.trouble]
        return "\n".join(lines)


def compare(
    module: Module,
    baseline: Run,
    rewritten: Run,
    exceptions: Mapping[str, str],
    *,
    depth: int = 2,
    through_c: bool = False,
) -> Comparison:
    """Hold `rewritten` against `baseline`. What failed is run again once: a crash or hang counts all the same."""
    result = Comparison(module, baseline, rewritten)
    for test in baseline.outcomes:
        if baseline.passed(test) and not rewritten.passed(test) and test not in exceptions:
            result.lost[test] = rewritten.outcomes.get(test, "not run")
    again = [test for test, outcome in result.lost.items() if outcome not in ("crashed", "hung")]
    if again:
        second = run(module, rewritten=True, depth=depth, through_c=through_c)
        result.unsteady = [test for test in again if second.passed(test)]
        for test in result.unsteady:
            del result.lost[test]
    result.stale = [test for test in rewritten.outcomes if test in exceptions and rewritten.passed(test)]
    return result
