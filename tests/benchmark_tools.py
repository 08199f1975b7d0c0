"""What the tests of the benchmark command share: results made up, so that no speed is asserted."""

import sys

from benchmarks.cases import cases
from benchmarks.environment import Interpreter
from benchmarks.results import CaseResults, LeftOut, Measurement, Results

HERE = Interpreter("cpython-3.13", "3.13.0", "GCC", True, sys.executable)
METHOD = {
    "rounds": 3,
    "values": 2,
    "warmups": 1,
    "seconds_a_value": 0.001,
    "date": "2026-01-02",
    "seconds": 30,
    "clock": "thread_time",
    "pinned": True,
    "load": 0.1,
    "revision": "0123456789ab",
    "sources": "abc",
}


def synthetic(version="3.13.0", at=2.0, missing=()):
    """Results in which ohwait takes half of the baseline's time and memory, and everyone else `at` times them."""
    about = {"id": "cpython-" + version.rpartition(".")[0], "version": version, "compiler": "GCC", "optimised": True}
    machine = {"processor": "a processor", "processors": 2, "architecture": "x86_64", "system": "Linux 6"}
    made = Results(about, machine)
    for case in cases():
        found = CaseResults(METHOD | {"clock": case.clock}, {"ohwait": "1.0", "greenlet": "3.0"})
        for unit in case.units:
            for point in case.points:
                for name in case.contenders:
                    if name not in missing:
                        factor = {case.baseline: 1.0, "ohwait": 0.5}.get(name, at)
                        runs = [[factor * slow * 1e-6, factor * slow * 2e-6] for slow in (1, 3, 2)]
                        found.measurements.append(Measurement(point, name, unit, 10, runs))
        found.left_out = [LeftOut(name, [], "no build for it") for name in missing if name in case.contenders]
        made.cases[case.name] = found
    return made
