"""pdb's prompt: `p ohwait(fetch())` at a breakpoint waits, and the event loop's other tasks go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cframes_tools import needs_c_frames
from core_tools import TESTS

import ohwait

pytestmark = [needs_c_frames, pytest.mark.unrepeatable("subprocesses")]

PROGRAM = """
import asyncio
from ohwait import ohwait

turns = 0

async def fetch(value, seconds=0.02):
    before = turns
    await asyncio.sleep(seconds)
    assert turns > before, "the other task stood still"
    return value

async def failing():
    await asyncio.sleep(0.001)
    raise LookupError("from the coroutine")

async def ticking():
    global turns
    while True:
        turns += 1
        await asyncio.sleep(0.001)

async def after_turns(number):
    until = turns + number
    while turns < until:
        await asyncio.sleep(0.001)
    return "the other task has turned"

def plain(n):
    local = n + 1
    {stop}
    return local

class Session:
    async def __aenter__(self):
        await asyncio.sleep(0.001)
        return self
    async def __aexit__(self, *error):
        await asyncio.sleep(0.001)

async def main():
    other = asyncio.create_task(ticking())
    await asyncio.sleep(0)
    {call}
    print("result", result)
    print("moved on", await fetch("after"))
    other.cancel()

asyncio.run(main())
print("ended")
"""


def run(
    tmp_path: Path,
    commands: list[str],
    *options: str,
    stop: str = "breakpoint()",
    call: str = "result = plain(1)",
) -> subprocess.CompletedProcess[str]:
    """Run the program while these commands are typed at pdb's prompt."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(stop=stop, call=call))
    paths = [str(Path(ohwait.__file__).parents[1]), str(TESTS), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, *options, str(program)],
        input="\n".join([*commands, ""]),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONFAULTHANDLER": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def session(tmp_path: Path, commands: list[str], *options: str, **program: str) -> str:
    """What it prints; the program must end well."""
    done = run(tmp_path, commands, *options, **program)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_waiting_at_the_prompt_in_a_plain_function(tmp_path: Path) -> None:
    printed = session(
        tmp_path,
        [
            "p ohwait(fetch('fetched'))",
            "p local",
            "p ohwait(fetch(local)) + 100",
            "p ohwait(after_turns(10))",
            "continue",
        ],
    )
    for expected in ("'fetched'", "\n(Pdb) 2", "102", "has turned", "result 2", "moved on after", "ended"):
        assert expected in printed, printed


def test_waiting_at_the_prompt_in_a_coroutine(tmp_path: Path) -> None:
    printed = session(
        tmp_path,
        ["p ohwait(fetch('fetched'))", "p [ohwait(fetch(n, 0.005)) for n in range(3)]", "continue"],
        call="breakpoint(); result = 'in a coroutine'",
    )
    for expected in ("'fetched'", "[0, 1, 2]", "result in a coroutine", "moved on after", "ended"):
        assert expected in printed, printed


def test_statements_that_wait_and_stepping_afterwards(tmp_path: Path) -> None:
    printed = session(
        tmp_path,
        [
            "where",
            "p sorted([2, 1], key=lambda n: ohwait(fetch(n, 0.001)))",
            "kept = ohwait(fetch(40))",
            "!local = kept + 2",
            "next",
            "next",
            "p ohwait(fetch('between steps'))",
            "continue",
        ],
    )
    for expected in ("[1, 2]", "plain(1)", "'between steps'", "result 42", "moved on after", "ended"):
        assert expected in printed, printed


def test_an_exception_at_the_prompt(tmp_path: Path) -> None:
    printed = session(tmp_path, ["p ohwait(failing())", "p ohwait(fetch('still here'))", "continue"])
    for expected in ("LookupError", "from the coroutine", "'still here'", "result 2", "ended"):
        assert expected in printed, printed


def test_two_breakpoints_one_after_the_other(tmp_path: Path) -> None:
    printed = session(
        tmp_path,
        ["p ohwait(fetch('first'))", "continue", "p ohwait(fetch('second'))", "continue"],
        call="result = [plain(5), plain(6)]",
    )
    for expected in ("'first'", "'second'", "result [6, 7]", "ended"):
        assert expected in printed, printed


def test_quitting_after_waiting(tmp_path: Path) -> None:
    done = run(tmp_path, ["p ohwait(fetch('fetched'))", "quit"])
    assert "'fetched'" in done.stdout
    assert done.returncode == 1 and "Fatal" not in done.stderr, done.stderr
    assert "ended" not in done.stdout


def test_the_program_under_pdb_from_the_start(tmp_path: Path) -> None:
    commands = ["break plain", "continue", "p ohwait(fetch('fetched'))", "p n", "continue", "quit"]
    printed = session(tmp_path, commands, "-m", "pdb", stop="pass")
    for expected in ("'fetched'", "result 2", "ended"):
        assert expected in printed, printed
