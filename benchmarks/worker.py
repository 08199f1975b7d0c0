"""Measure one case with one contender at one depth, in this process.

    python worker.py time CASE CONTENDER DEPTH [pyperf's options of a worker process]
    python worker.py run CASE CONTENDER DEPTH LOOPS

`time` is a worker process of pyperf; `run` only runs the operations, for a tool that watches from outside.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # The installed contenders come first, not the ones that lie beside this folder.
    sys.path[:] = [*sys.path[1:], str(Path(__file__).resolve().parent.parent)]

from benchmarks.cases import Case, case
from benchmarks.contenders import Implementation, implementation

RECURSION_LIMIT = 10_000


def _time(question: Case, contender: Implementation, depth: int, options: list[str]) -> None:
    import pyperf

    runner = pyperf.Runner()
    runner.parse_args(options)
    runner.bench_time_func(
        question.name,
        lambda loops: question.measure(contender, depth, question.loops or loops),
        metadata={"unit": question.unit},
        inner_loops=question.loops,
    )


def main(arguments: list[str]) -> None:
    """Do what the module's docstring says of `arguments`."""
    verb, case_name, contender_name, depth, *rest = arguments
    sys.setrecursionlimit(RECURSION_LIMIT)
    question, contender = case(case_name), implementation(contender_name)
    if verb == "time":
        _time(question, contender, int(depth), rest)
    else:
        question.measure(contender, int(depth), int(rest[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
