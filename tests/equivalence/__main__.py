"""``python -m tests.equivalence MODULE...``: hold any test modules against themselves with awaits rewritten."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from . import groups
from .baseline import baseline
from .compare import Comparison, compare, exceptions_for
from .runs import Module, run, stop


def chosen(arguments: argparse.Namespace) -> list[Module]:
    """The modules that the command line names."""
    modules = []
    for name in arguments.module:
        if name == "stdlib":
            modules += groups.stdlib_modules()
        elif name == "trio":
            modules += groups.trio_modules()
        elif arguments.pytest:
            modules.append(Module(name, (name,), runner="pytest", options=tuple(arguments.option)))
        elif name.startswith("test."):
            modules.append(groups.stdlib_module(name))
        else:
            modules.append(Module(name, (name,)))
    extra = tuple(arguments.rewrite)
    return [
        Module(m.name, m.rewrite + extra, m.runner, m.options, arguments.test_seconds, arguments.seconds)
        for m in modules
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.equivalence", description=__doc__)
    parser.add_argument("module", nargs="+", help="an importable test module, or `stdlib`, or `trio`")
    parser.add_argument("--pytest", action="store_true", help="run with pytest instead of unittest")
    parser.add_argument("--option", action="append", default=[], help="an argument for pytest")
    parser.add_argument("--rewrite", action="append", default=[], metavar="PACKAGE", help="rewrite this as well")
    parser.add_argument("--depth", type=int, default=2, help="of the plain frames (default 2)")
    parser.add_argument("--through-c", action="store_true", help="call them through map and functools.partial")
    parser.add_argument("--all", action="store_true", help="as if exceptions.toml were empty")
    parser.add_argument("--test-seconds", type=float, default=60.0, help="limit for a test (default 60)")
    parser.add_argument("--seconds", type=float, default=600.0, help="limit for a process (default 600)")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="modules at a time (default 2)")
    arguments = parser.parse_args()
    exceptions = {} if arguments.all else exceptions_for(arguments.through_c)

    def one(module: Module) -> Comparison:
        how = {"depth": arguments.depth, "through_c": arguments.through_c}
        rewritten = run(module, rewritten=True, **how)
        return compare(module, baseline(module), rewritten, exceptions, **how)

    good = True
    with ThreadPoolExecutor(arguments.jobs) as pool:
        try:
            for comparison in pool.map(one, chosen(arguments)):
                print(comparison.summary() if comparison.good else comparison.text(), flush=True)
                if comparison.baseline.trouble:
                    print("unmodified:", comparison.baseline.trouble)
                good = good and comparison.good
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
