"""Runs a test module in processes of its own, until each test has an outcome, whatever becomes of the processes."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
PASSED = ("passed", "expected failure")
RESTARTS = 12
"""After so many crashes and hangs a module is given up; tests that were not reached have no outcome."""


@dataclass(frozen=True)
class Module:
    """What to run: a test module, or a package of them where `runner` is pytest."""

    name: str
    rewrite: tuple[str, ...]
    """Packages (or modules) whose awaits are rewritten."""
    runner: str = "unittest"
    options: tuple[str, ...] = ()
    """Arguments for pytest."""
    test_seconds: float = 60.0
    seconds: float = 600.0
    """Limits for one test, and for one process."""


@dataclass
class Run:
    """The outcomes of one module's tests."""

    outcomes: dict[str, str] = field(default_factory=dict)
    """By test id: passed, expected failure, skipped, unexpected success, failed, crashed, hung."""
    details: dict[str, str] = field(default_factory=dict)
    rewritten: int = 0
    """How many awaits were rewritten."""
    lifted: int = 0
    """How often a chain of plain frames was suspended."""
    seconds: float = 0.0
    trouble: str = ""
    """Why the run is incomplete, if it is."""

    def passed(self, test: str) -> bool:
        return self.outcomes.get(test) in PASSED


def run(module: Module, *, rewritten: bool, depth: int = 2, through_c: bool = False, only: Collection[str] = ()) -> Run:
    """Run `module`; with `rewritten`, each await is a call of plain functions `depth` frames deep (`through_c`: with C
    functions between them)."""
    call = [f"--depth={depth}", *(["--through-c"] if through_c else [])]
    result = Run()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="equivalence-", ignore_cleanup_errors=True) as directory:
        for attempt in range(RESTARTS):
            if _run_once(module, call if rewritten else [], only, result, Path(directory) / str(attempt)):
                break
        else:
            result.trouble = f"given up after {RESTARTS} crashes or hangs"
    result.seconds = time.monotonic() - began
    return result


def _run_once(module: Module, rewriting: list[str], only: Collection[str], result: Run, directory: Path) -> bool:
    """One process; True unless it died in a test, so that another one has to go on with the tests after that."""
    scratch = directory / "scratch"
    scratch.mkdir(parents=True)
    report, log = directory / "report", directory / "log"
    command = [sys.executable, str(HERE / "child.py"), module.name, "--report", str(report)]
    command += [f"--runner={module.runner}", f"--seconds={module.test_seconds}"]
    command += [f"--option={option}" for option in module.options]
    command += [f"--path={path}" for path in _import_path()]
    if rewriting:
        command += rewriting + [f"--rewrite={package}" for package in module.rewrite]
    for name, ids in (("skip", result.outcomes), ("only", only)):
        if ids:
            (directory / name).write_text(json.dumps(sorted(ids)))
            command += [f"--{name}={directory / name}"]
    with log.open("wb") as output:
        status = _wait(command, module.seconds, output, scratch)
    running, finished = _read(report, result)
    text = log.read_text(errors="replace")
    if running:
        result.outcomes[running] = "hung" if status is None or "Timeout (" in text else "crashed"
        result.details[running] = f"process ended with {_name_of(status)}\n{_tail(text)}"
    elif not finished and status is None:
        result.trouble = f"process took longer than {module.seconds} s\n{_tail(text)}"
    elif not finished:
        result.trouble = f"process ended outside of any test with {_name_of(status)}\n{_tail(text)}"
    elif status:
        result.trouble = f"process crashed at its end with {_name_of(status)}\n{_tail(text)}"
    return not running


def stop() -> None:
    """End all processes that run now, and start no more: the runs that wait for them are of no use afterwards."""
    _stopped.set()
    for process in list(_running):
        _kill(process)


_stopped = threading.Event()
_running: set[subprocess.Popen[bytes]] = set()


def _wait(command: list[str], seconds: float, output: IO[bytes], scratch: Path) -> int | None:
    """Run `command`; its exit status, or None if it took too long. Ends everything the process has started."""
    if _stopped.is_set():
        return None
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=scratch,
        env=dict(os.environ, TMPDIR=str(scratch), PYTHONDONTWRITEBYTECODE="1"),
        start_new_session=True,
    )
    _running.add(process)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _kill(process)
        process.wait()
        _running.discard(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(report: Path, result: Run) -> tuple[str, bool]:
    """Add what the report says to `result`: the test that was running at its end, and whether all were run."""
    running, finished = "", False
    for line in report.read_text(encoding="utf-8").splitlines() if report.exists() else ():
        event = json.loads(line)
        if "start" in event:
            running = event["start"]
        elif "test" in event:
            result.outcomes[event["test"]] = event["outcome"]
            result.details[event["test"]] = event["detail"]
            running = ""
        else:
            finished = True
            result.rewritten = event["rewritten"]
            result.lifted += event["lifted"] or 0
    return running, finished


def _import_path() -> list[Path]:
    """Where the child finds `ohwait`, as this process does, and `equivalence`."""
    spec = importlib.util.find_spec("ohwait")
    places = [Path(place).resolve().parent for place in spec.submodule_search_locations or ()] if spec else []
    return [*places, HERE.parent]


def _name_of(status: int | None) -> str:
    if status is not None and status < 0:
        return signal.Signals(-status).name
    return f"status {status}"


def _tail(text: str, characters: int = 6000) -> str:
    return text[-characters:]
