"""`python -m ohwait`: the demonstration, the doctor, and the examples."""

import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ohwait
from ohwait import __main__, _core, _demo, _doctor, _loops, _selftest, _selftest_c_frames
from ohwait._loops import Loop
from ohwait._terminal import Terminal

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LOOPS = [_loops.find(name) for name in _loops.NAMES]
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def loop_parameters() -> list[Any]:
    reasons = {loop.name: f"{loop.name}: {loop.obstacle or 'not installed'}" for loop in LOOPS if not loop.usable}
    skip = pytest.mark.skipif
    return [
        pytest.param(loop, id=loop.name, marks=skip(loop.name in reasons, reason=reasons.get(loop.name, "")))
        for loop in LOOPS
    ]


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run python with these arguments, colours off unless the variables say otherwise."""
    environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    environ |= {"PYTHONIOENCODING": "utf-8", **variables}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, encoding="utf-8", env=environ, timeout=120
    )


def ohwait_command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return command("-m", "ohwait", *arguments, **variables)


# The demonstration.


@pytest.mark.parametrize("loop", loop_parameters())
def test_demo_under_each_loop(loop: Loop) -> None:
    result = ohwait_command("--loop", loop.name)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"\n{loop.name} {loop.version}\n" in result.stdout
    for part in _demo.PARTS:
        [row] = re.findall(rf"  {part.name} +{part.depth} deep  (.*)", result.stdout)
        assert row.strip()[0] == row.strip()[-1] == "●"
        assert 2 < row.count("●") <= len(part.waits) + 1
        assert set(row) <= set("●─ ")
    order = re.findall(r"  order  (.*)", result.stdout)[0].split()
    assert sorted(order[:3]) == ["d", "q", "s"], "all three have started before the first waits again"
    waited, took = map(int, re.findall(r"waited (\d+) ms in all, took (\d+) ms", result.stdout)[0])
    assert took < waited
    assert COLOR.search(result.stdout) is None


def test_demo_names_loops_that_are_not_there() -> None:
    output = io.StringIO()
    loops = [Loop("trio", None, None), Loop("curio", "1.6", "ImportError: no")]
    assert _demo.demonstrate(loops, Terminal(output, "never"))
    assert "trio  not installed" in output.getvalue()
    assert "curio 1.6  cannot be used: ImportError: no" in output.getvalue()


def test_demo_fails_when_chains_do_not_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_after_another(parts: Any) -> _demo.Recording:
        recording = _demo.Recording()
        for part in parts:
            recording.step(part)
            recording.step(part)
        recording.steps[-1] = recording.steps[-1]._replace(at=100.0)
        return recording

    monkeypatch.setattr(_demo, "record", one_after_another)
    output = io.StringIO()
    assert not _demo.demonstrate(LOOPS[:1], Terminal(output, "never"))
    assert "x waited" in output.getvalue() or "✗ waited" in output.getvalue()


# The doctor.

C_FRAMES = _core.c_frames_status() is None


def test_doctor_is_well() -> None:
    result = ohwait_command("doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"ohwait {ohwait.__version__}" in result.stdout
    assert sys.version.split()[0] in result.stdout
    assert re.search(r"supported +CPython 3.11 to 3.15", result.stdout)
    for loop in LOOPS:
        state = re.escape(loop.version) if loop.version else "not installed"
        assert re.search(rf"  {loop.name} +{state}", result.stdout)
    checks = len(_selftest.CHECKS) + sum(loop.usable for loop in LOOPS) + C_FRAMES
    assert result.stdout.count("✓") == checks
    assert f"All {checks} checks have passed." in result.stdout
    assert ("suspends through C functions (tried in a process of its own)" in result.stdout) is C_FRAMES
    assert ("all registers were kept" in result.stdout) is C_FRAMES


@pytest.mark.skipif(not C_FRAMES, reason="another reason is given where they cannot be set aside")
def test_doctor_says_that_c_frames_are_forbidden() -> None:
    result = ohwait_command("doctor", "--loop", "asyncio", OHWAIT_C_FRAMES="0")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"C functions in between +cannot be suspended through: .*OHWAIT_C_FRAMES=0", result.stdout)
    assert "in a process of its own" not in result.stdout


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import os; os.abort()", "the process crashed with signal 6"),
        ("import sys; print('expected 1, got 2', file=sys.stderr); sys.exit(1)", "expected 1, got 2"),
        ("import sys; sys.exit(3)", "exit status 3"),
    ],
)
def test_doctor_survives_what_the_process_does(script: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = subprocess.run
    monkeypatch.setattr(
        _selftest_c_frames.subprocess, "run", lambda command, **options: run([sys.executable, "-c", script], **options)
    )
    with pytest.raises(_selftest.Failed, match=said):
        _selftest_c_frames.in_a_process()


@pytest.mark.skipif(not C_FRAMES, reason="C frames cannot be set aside here")
def test_the_self_test_of_c_frames_notices_a_core_that_never_suspends(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(awaitable: Any) -> None:
        awaitable.close()

    monkeypatch.setattr(ohwait, "ohwait", broken)
    for check in _selftest_c_frames.CHECKS[2:]:
        with pytest.raises((_selftest.Failed, TypeError, StopIteration)):
            check()


@pytest.mark.skipif(not C_FRAMES, reason="C frames cannot be set aside here")
def test_the_self_test_of_c_frames_passes_here_too() -> None:
    assert _selftest_c_frames.main() == 0


@pytest.mark.skipif(not C_FRAMES, reason="C frames cannot be set aside here")
def test_doctor_reports_that_registers_are_lost() -> None:
    """As if the exchange of C stacks had been found wanting when it was first asked for."""
    lines = "from ohwait import __main__, _core; _core.rehearse(True); __main__.main(['doctor', '--loop', 'asyncio'])"
    result = command("-c", lines)
    assert "✗ keeps all registers when C stacks are exchanged: its self-test has failed" in result.stdout
    assert "checks have failed: ohwait does not work properly here" in result.stdout
    assert "in a process of its own" not in result.stdout


@pytest.mark.usefixtures("without_c_frames")
def test_doctor_reports_what_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        _selftest.expect(1, 2, "the answer")

    def breaks() -> None:
        raise LookupError("broken")

    monkeypatch.setattr(_selftest, "CHECKS", [("works", lambda: None), ("fails", fails), ("breaks", breaks)])
    assert __main__.main(["doctor", "--loop", "asyncio", "--color", "never"]) == 1
    output = capsys.readouterr().out
    assert "fails: the answer: expected 1, got 2" in output
    assert "breaks: LookupError: broken" in output
    assert "2 of 4 checks have failed" in output


def test_doctor_reports_loops_that_cannot_be_used() -> None:
    output = io.StringIO()
    loops = [Loop("trio", None, None), Loop("curio", "1.6", "ImportError: no")]
    assert _doctor.examine(loops, Terminal(output, "never"))
    assert re.search(r"trio +not installed", output.getvalue())
    assert re.search(r"curio +1.6, cannot be used: ImportError: no", output.getvalue())


@pytest.mark.parametrize(("name", "check"), _selftest.CHECKS[:-1], ids=[name for name, _ in _selftest.CHECKS[:-1]])
def test_each_check_of_the_self_test_notices_a_core_that_never_suspends(
    name: str, check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(awaitable: Any) -> None:
        awaitable.close()

    monkeypatch.setattr(ohwait, "ohwait", broken)
    with pytest.raises((_selftest.Failed, TypeError, StopIteration)):
        check()


def test_statements_are_tried_out() -> None:
    """What the doctor says about statements is what the interpreter does."""
    if C_FRAMES:
        assert _selftest.for_can_suspend() is True
        assert _selftest.with_can_suspend() == (True, True, True)


@pytest.mark.usefixtures("without_c_frames")
def test_statements_are_tried_out_without_c_frames() -> None:
    assert _selftest.for_can_suspend() is (sys.version_info >= (3, 12))
    assert _selftest.with_can_suspend() == (sys.version_info >= (3, 14), True, False)


# Loops.


def test_a_loop_that_is_not_installed_is_found_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert _loops.find("trio") == Loop("trio", None, None)
    assert not _loops.find("trio").usable


def test_a_loop_that_does_not_import_is_found_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError("broken installation")

    monkeypatch.setattr(_loops, "import_module", fail)
    found = _loops.find("asyncio")
    assert found.obstacle == "ImportError: broken installation"
    assert not found.usable


def test_looking_for_loops_leaves_no_backend_selected() -> None:
    before = ohwait.current_backend()
    for name in _loops.NAMES:
        _loops.find(name)
    assert ohwait.current_backend() is before


# Arguments.


def test_help_names_commands_and_options() -> None:
    result = ohwait_command("--help")
    assert result.returncode == 0
    for word in ("demo", "doctor", "--loop", "--color", "NO_COLOR", "exit status 1"):
        assert word in result.stdout


def test_version() -> None:
    assert ohwait_command("--version").stdout == f"ohwait {ohwait.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["dance"], "invalid choice: 'dance'"),
        (["--loop", "gevent"], "argument --loop: invalid choice: 'gevent'"),
        (["--color", "green"], "argument --color: invalid choice: 'green'"),
        (["--depth"], "unrecognized arguments: --depth"),
        (["demo", "doctor"], "unrecognized arguments: doctor"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], text: str) -> None:
    result = ohwait_command(*arguments)
    assert result.returncode == 2
    assert text in result.stderr
    assert "usage: python -m ohwait" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_loop_that_is_asked_for_and_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "find", lambda name: Loop(name, None, None))
    with pytest.raises(SystemExit) as caught:
        __main__.main(["--loop", "curio"])
    assert caught.value.code == 2
    assert "argument --loop: curio cannot be used: it is not installed" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="uses a POSIX shell")
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    shell = f"'{sys.executable}' -m ohwait --loop asyncio | head -n 1"
    result = subprocess.run(shell, shell=True, capture_output=True, text=True, timeout=60)
    assert "Three chains" in result.stdout
    assert result.stderr == ""


# Colours and signs.


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "choice", "environ", "colored"),
    [
        (Tty(), "auto", {"TERM": "xterm"}, True),
        (Tty(), "auto", {"TERM": "dumb"}, False),
        (Tty(), "auto", {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Tty(), "auto", {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Tty(), "auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (Tty(), "never", {"FORCE_COLOR": "1"}, False),
        (io.StringIO(), "auto", {"TERM": "xterm"}, False),
        (io.StringIO(), "auto", {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), "always", {"NO_COLOR": "1"}, True),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="consoles of Windows tell otherwise")
def test_when_to_use_colors(stream: Any, choice: str, environ: dict[str, str], colored: bool) -> None:
    assert Terminal(stream, choice, environ).colored is colored


def test_force_color_reaches_the_output() -> None:
    assert COLOR.search(ohwait_command("doctor", "--loop", "asyncio", FORCE_COLOR="1").stdout)
    assert not COLOR.search(ohwait_command("doctor", "--loop", "asyncio", FORCE_COLOR="1", NO_COLOR="1").stdout)


def test_ascii_where_the_stream_has_no_other_signs() -> None:
    result = ohwait_command("--loop", "asyncio", PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    assert result.stdout.isascii()
    assert re.search(r"quick +1 deep +o-[o-]+o", result.stdout)


# The examples.


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are not installed with the package")
class TestExamples:
    def test_http_over_streams(self) -> None:
        result = command(str(EXAMPLES / "http_plain.py"))
        assert result.returncode == 0, result.stderr
        assert "/square/7    200 {'number': 7, 'square': 49}" in result.stdout
        assert "/square/ten  400 not a number" in result.stdout
        assert "/circle/1    404 nothing here" in result.stdout
        assert float(re.findall(r"each: ([\d.]+) s", result.stdout)[0]) < 0.9

    @pytest.mark.parametrize("loop", [each for each in loop_parameters() if each.id != "uvloop"])
    def test_crawler_inside_a_library_that_calls_back(self, loop: Loop) -> None:
        result = command(str(EXAMPLES / "html_crawler.py"), loop.name)
        assert result.returncode == 0, result.stderr
        assert "from /animals\n    Animals\n      Cat\n      Owl\n" in result.stdout
        assert "13 pages" in result.stdout

    def test_async_things_in_plain_functions(self) -> None:
        result = command(str(EXAMPLES / "tail_and_lock.py"))
        assert result.returncode == 0, result.stderr
        assert "by hand: ['ONE', 'TWO', 'THREE']" in result.stdout
        assert ("for:     ['ONE', 'TWO', 'THREE']" in result.stdout) is (C_FRAMES or sys.version_info >= (3, 12))
        assert "with:    our turn and locked" in result.stdout
        assert "after:   open" in result.stdout

    @pytest.mark.skipif(not C_FRAMES, reason="C frames cannot be set aside here")
    def test_inside_functions_that_c_functions_call(self) -> None:
        if importlib.util.find_spec("_sqlite3") is None:
            pytest.skip("this CPython was built without sqlite3")
        result = command(str(EXAMPLES / "c_functions.py"))
        assert result.returncode == 0, result.stderr
        assert "sorted:   ['pear', 'apple', 'plum']" in result.stdout
        assert 'json:     [{"total": 8}, {"total": 4}, {"total": 3}]' in result.stdout
        assert "sqlite3:  [('pear', 2), ('apple', 3), ('plum', 5)]" in result.stdout
        assert int(re.findall(r"(\d+) through C functions", result.stdout)[0]) >= 5

    def test_every_example_is_run_by_a_test(self) -> None:
        tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
        assert [path.name for path in EXAMPLES.glob("*.py") if path.stem not in tests] == []
