"""Runs one test module, as it is or rewritten, and writes each outcome down at once, so that a crash loses none.

Started by runs.py as a script. Each line of the report is a JSON object: ``{"start": id}`` when a test begins,
``{"test": id, "outcome": ..., "detail": ...}`` when it has ended, ``{"rewritten": n, "lifted": n}`` at the end.
"""

import argparse
import faulthandler
import importlib
import json
import signal
import sys
import unittest
import warnings
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

STDERR = 2
"""Not sys.stderr, which tests replace."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Report:
    """The outcomes, one JSON object a line. A test that hangs ends the process, with a traceback in the log."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._seconds = seconds

    def write(self, **what: Any) -> None:
        self._file.write(json.dumps(what) + "\n")

    def start(self, test: str) -> None:
        self.write(start=test)
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=STDERR)

    def end(self, test: str, outcome: str, detail: str = "") -> None:
        faulthandler.cancel_dump_traceback_later()
        self.write(test=test, outcome=outcome, detail=detail)


class Result(unittest.TestResult):
    """Reports each test; a test with several outcomes (subtests, failing cleanups) has the worst of them."""

    RANK = ("passed", "expected failure", "skipped", "unexpected success", "failed")

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report
        self._outcome = ""
        self._detail = ""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._outcome = "passed"
        self._detail = ""
        self._report.start(test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if self._outcome:  # CPython 3.12.1 stops skipped tests that it has not started
            self._report.end(test.id(), self._outcome, self._detail)
        self._outcome = ""

    def _note(self, test: unittest.TestCase, outcome: str, detail: str) -> None:
        if not self._outcome:  # class and module fixtures have no startTest
            self._report.end(test.id(), outcome, detail)
        elif self.RANK.index(outcome) > self.RANK.index(self._outcome):
            self._outcome = outcome
            self._detail = detail

    def addError(self, test: unittest.TestCase, err: ExcInfo) -> None:
        super().addError(test, err)
        self._note(test, "failed", self.errors[-1][1])

    def addFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:
        super().addFailure(test, err)
        self._note(test, "failed", self.failures[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: ExcInfo | None) -> None:
        failures = len(self.failures)
        super().addSubTest(test, subtest, err)
        if err is not None:
            added = self.failures if len(self.failures) > failures else self.errors
            self._note(test, "failed", f"{subtest}\n{added[-1][1]}")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:
        super().addExpectedFailure(test, err)
        self._note(test, "expected failure", "")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._note(test, "unexpected success", "")


def cases(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """All test cases of a suite, in order."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from cases(test)
        else:
            yield test


def run_unittest(module: str, wanted: Callable[[str], bool], report: Report) -> None:
    """Run the tests of `module` whose ids are wanted, with the standard library's unittest."""
    if module.startswith("test."):
        support = importlib.import_module("test.support")
        support.use_resources = type(support.use_resources or [])()  # no network, nothing large
    try:
        importlib.import_module(module)
    except unittest.SkipTest as reason:
        report.end(module, "skipped", str(reason))
        return
    suite = unittest.defaultTestLoader.loadTestsFromName(module)
    chosen = unittest.TestSuite(test for test in cases(suite) if wanted(test.id()))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        chosen.run(Result(report))


def run_pytest(module: str, wanted: Callable[[str], bool], report: Report, options: list[str]) -> None:
    """Run the tests of the package or module `module` whose ids are wanted, with pytest."""
    import pytest

    ids: dict[str, str] = {}

    class Reporter:
        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            for item in items:
                # As in unittest: how node ids begin depends on where packages are installed.
                module = item.getparent(pytest.Module)
                name = item.nodeid.split("::")[1:]
                ids[item.nodeid] = ".".join([module.obj.__name__, *name]) if module else item.nodeid
            items[:] = [item for item in items if wanted(ids[item.nodeid])]

        def pytest_runtest_logstart(self, nodeid: str) -> None:
            self.outcome, self.detail = "passed", ""
            report.start(ids[nodeid])

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.outcome != "passed" and self.outcome != "failed":
                expected = report.skipped and hasattr(report, "wasxfail")
                self.outcome = "expected failure" if expected else report.outcome
                self.detail = report.longreprtext

        def pytest_runtest_logfinish(self, nodeid: str) -> None:
            report.end(ids[nodeid], self.outcome, self.detail)

    # Assertions are not rewritten: awaits inside of them would be seen by pytest's rewriting, not by ours.
    arguments = ["--assert=plain", "-p", "no:cacheprovider", "-q", "--rootdir=.", *options, "--pyargs", module]
    pytest.main(arguments, plugins=[Reporter()])


def suspensions() -> int | None:
    """How often plain functions were suspended so far, with C functions between them or not."""
    core = sys.modules.get("ohwait._core")
    if core is None:
        return None
    stats: dict[str, int] = core.stats()
    return stats["suspensions_by_frames"] + stats["suspensions_by_stack"]


def read_ids(path: Path | None) -> Collection[str]:
    return frozenset(json.loads(path.read_text())) if path else frozenset()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--path", action="append", default=[], help="to append to sys.path")
    parser.add_argument("--runner", choices=("unittest", "pytest"), default="unittest")
    parser.add_argument("--option", action="append", default=[], help="for pytest")
    parser.add_argument("--rewrite", action="append", default=[], metavar="PACKAGE")
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--through-c", action="store_true", help="with C functions between the plain frames")
    parser.add_argument("--skip", type=Path, metavar="FILE", help="test ids to leave out, a JSON list")
    parser.add_argument("--only", type=Path, metavar="FILE", help="test ids to run, a JSON list")
    parser.add_argument("--seconds", type=float, default=60.0, help="for one test")
    arguments = parser.parse_args()

    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have background jobs ignore it
    sys.path.extend(arguments.path)
    sys.argv[1:] = []
    skip, only = read_ids(arguments.skip), read_ids(arguments.only)

    def wanted(test: str) -> bool:
        return test not in skip and (not only or test in only)

    report = Report(arguments.report, arguments.seconds)
    finder = None
    if arguments.rewrite:
        # Only now: the baseline runs without ohwait in the process.
        from equivalence import rewrite
        from ohwait import ohwait

        finder = rewrite.install(ohwait, arguments.rewrite, arguments.depth, arguments.through_c)
    if arguments.runner == "unittest":
        run_unittest(arguments.module, wanted, report)
    else:
        run_pytest(arguments.module, wanted, report, arguments.option)
    report.write(rewritten=sum(finder.rewritten.values()) if finder else 0, lifted=suspensions())


if __name__ == "__main__":
    del sys.path[0]  # this directory
    main()
