"""Runs the modules of the collected tests two at a time, in the background, while the tests wait for them in turn."""

import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from .baseline import baseline
from .compare import Comparison, compare, exceptions_for
from .runs import Module, Run, run, stop

Compared = Callable[[Module], Comparison]
Record = Callable[[str, object], None]
THROUGH_C = os.environ.get("OHWAIT_EQUIVALENCE") == "c"
"""Set by whoever runs these tests: the plain functions are called through C functions."""


class Pool:
    """Two processes at a time: the baseline of each module, once in a session, and its rewritten run."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=2)
        self._runs: dict[tuple[Module, bool], Future[Run]] = {}

    def start(self, module: Module, rewritten: bool) -> Future[Run]:
        key = (module, rewritten)
        if key not in self._runs:
            start = functools.partial(run, rewritten=True, through_c=THROUGH_C) if rewritten else baseline
            self._runs[key] = self._executor.submit(start, module)
        return self._runs[key]

    def compared(self, module: Module) -> Comparison:
        baseline, rewritten = self.start(module, False), self.start(module, True)
        return compare(module, baseline.result(), rewritten.result(), exceptions_for(THROUGH_C), through_c=THROUGH_C)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        stop()


@pytest.fixture(scope="session")
def compared(request: pytest.FixtureRequest) -> Iterator[Compared]:
    """Hold a module's rewritten run against its baseline."""
    pool = Pool()
    if "PYTEST_XDIST_WORKER" not in os.environ:  # there every worker sees all items, but runs only some
        for item in request.session.items:
            callspec = getattr(item, "callspec", None)
            module = callspec.params.get("module") if callspec else None
            if isinstance(module, Module):
                pool.start(module, False)
                pool.start(module, True)
    yield pool.compared
    pool.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much was compared, from what the tests recorded."""
    lines = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "equivalence" and report.when == "call"
    ]
    if lines:
        terminalreporter.section("await and ohwait compared")
        for line in lines:
            terminalreporter.line(line)
