"""The benchmark command: its environments, its options, and the comparison of revisions."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmark_tools import HERE, synthetic

from benchmarks import __main__ as command
from benchmarks import environment, results, schedule
from benchmarks.cases import case, cases
from benchmarks.contenders import CONTENDERS, NATIVE, OHWAIT, contender
from benchmarks.environment import BenchmarkError, Environment
from benchmarks.results import CaseResults, LeftOut, Measurement

pytestmark = pytest.mark.once

SOME = tuple(contender(name) for name in ("native", "ohwait", "awaitlet", "asynkit"))


def test_workers_do_not_see_what_changes_imports_and_builds(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("OHWAIT_DEBUG", "1")
    monkeypatch.setenv("KEPT", "1")
    clean = environment.clean_environ()
    assert "PYTHONPATH" not in clean
    assert "OHWAIT_DEBUG" not in clean
    assert clean["KEPT"] == "1"


def test_the_fingerprint_follows_the_sources_and_nothing_else(tmp_path):
    (tmp_path / "csrc").mkdir()
    (tmp_path / "setup.py").write_text("")
    source = tmp_path / "csrc" / "module.c"
    source.write_text("int a;")
    before = environment.fingerprint(tmp_path)
    (tmp_path / "csrc" / "module.o").write_text("an object file")
    (tmp_path / "notes.txt").write_text("nothing that is built")
    assert environment.fingerprint(tmp_path) == before
    source.write_text("int b;")
    assert environment.fingerprint(tmp_path) != before


def test_an_interpreter_describes_itself():
    found = environment.interpreter(sys.executable)
    assert found.id.startswith(f"{sys.implementation.name}-{sys.version_info[0]}.{sys.version_info[1]}")


def test_an_interpreter_that_is_not_there_is_an_error(capsys):
    for name in ("matplotlib", "rich"):
        pytest.importorskip(name, reason=f"measuring needs {name}")
    assert command.main(["--quick", "--python", "no-such-python"]) == 2
    assert "no interpreter 'no-such-python'" in capsys.readouterr().err


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """What pip is asked to install, instead of installing it; packages named in `fails` cannot be."""
    made = SimpleNamespace(installed=[], fails=set(), tree=tmp_path / "tree")

    def install(where, *arguments):
        made.installed += [str(argument) for argument in arguments if not str(argument).startswith("-")]
        if made.fails & set(map(str, arguments)):
            raise BenchmarkError("installing it failed (exit status 1):\n a\n  error: no compiler\n b")

    monkeypatch.setattr(environment, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(environment, "_pip", install)
    monkeypatch.setattr(environment, "create", lambda path, executable: path.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(environment, "run", lambda command, doing: json.dumps({"version-of": "1"}))
    made.tree.mkdir()
    (made.tree / "setup.py").write_text("1")
    return made


def test_what_is_installed_is_kept_until_the_sources_change(pip):
    prepared = environment.prepare(HERE, SOME, pip.tree, lambda text: None)
    assert pip.installed[0] == "pyperf"
    assert pip.installed[2:] == ["awaitlet", "greenlet", "asynkit==0.20.0"]
    assert prepared.missing == {}
    pip.installed.clear()
    environment.prepare(HERE, SOME, pip.tree, lambda text: None)
    assert pip.installed == []
    (pip.tree / "setup.py").write_text("2")
    environment.prepare(HERE, SOME, pip.tree, lambda text: None)
    assert [Path(path).parent.name for path in pip.installed] == ["sources"]


def test_a_contender_that_cannot_be_installed_is_left_out_but_ohwait_is_not(pip):
    pip.fails.add("greenlet")
    prepared = environment.prepare(HERE, SOME, pip.tree, lambda text: None)
    assert prepared.missing == {"awaitlet": "installing it failed (exit status 1): error: no compiler"}
    (pip.tree / "setup.py").write_text("2")
    pip.fails.add(str(environment._clean_copy(pip.tree)))
    with pytest.raises(BenchmarkError, match="installing it failed"):
        environment.prepare(HERE, (OHWAIT,), pip.tree, lambda text: None)


def test_sources_without_a_build_are_refused(pip):
    (pip.tree / "setup.py").unlink()
    with pytest.raises(BenchmarkError, match="has no setup"):
        environment.prepare(HERE, (OHWAIT,), pip.tree, lambda text: None)


# The options


def parsed(*arguments):
    return command.parser().parse_args(arguments)


def test_list_shows_every_case_and_contender(capsys):
    assert command.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert all(each.question in out for each in cases())
    assert all(each.title in out and each.way in out for each in CONTENDERS)


def test_native_await_is_measured_whatever_is_chosen():
    options = parsed("--contender", "awaitlet", "--case", "memory", "--depth", "3", "--quick")
    plan = command.plan_of(options)
    assert [each.name for each in plan.contenders_of(case("memory"))] == ["native", "awaitlet"]
    assert [(each.name, plan.points_of(each)) for each in plan.cases] == [("memory", (3,))]
    assert command.method_of(options) == schedule.QUICK


def test_how_much_is_measured_can_be_chosen():
    assert command.method_of(parsed()) == schedule.Method()
    assert command.method_of(parsed("--brief")) == schedule.BRIEF
    assert command.method_of(parsed("--brief", "--rounds", "9")).rounds == 9
    skipped = command.plan_of(parsed("--skip", "service"))
    assert [each for each in cases() if each not in skipped.cases] == [case("service")]
    quick = command.plan_of(parsed("--quick"))
    assert 0 < len(quick.cases) < len(cases())
    assert command.point("20") == 20
    assert command.point("trio") == "trio"


def test_check_needs_nothing_but_the_standard_library():
    code = "import sys; from benchmarks.__main__ import main; main(['--list']); print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=environment.ROOT, check=True
    )
    loaded = done.stdout
    assert not any(f"'{name}'" in loaded for name in ("rich", "matplotlib", "pyperf", "ohwait", "greenlet"))


def test_what_goes_wrong_with_ohwait_is_told_what_others_cannot_do_is_not():
    plan = command.plan_of(parsed("--case", "suspend_once", "--case", "memory"))
    made = synthetic()
    del made.cases["memory"]
    made.cases["suspend_once"].left_out = [
        LeftOut("ohwait", [0], "CFunctionError: a limit"),
        LeftOut("ohwait", [5], "killed by signal 11: no message"),
        LeftOut("awaitlet", [5], "killed by signal 11: no message"),
    ]
    assert list(command.failed(made, plan)) == [
        "cpython-3.13: suspend_once: ohwait at [5]: killed by signal 11: no message",
        "cpython-3.13: memory was not measured",
    ]


@pytest.fixture
def fake_runs(monkeypatch, tmp_path):
    """The command with workers that take no time; returns the cases that were run."""
    for name in ("matplotlib", "rich"):
        pytest.importorskip(name, reason=f"measuring needs {name}")
    ran = []

    def run_case(asked, plan, where, tree, method, step):
        ran.append(asked.name)
        made = [
            Measurement(point, each.name, asked.unit, 1, [[1e-6]])
            for point in plan.points_of(asked)
            for each in plan.contenders_of(asked)
        ]
        told = dict(next(iter(synthetic().cases.values())).method, sources=environment.fingerprint(tree), rounds=9)
        return CaseResults(told, {}, made)

    monkeypatch.setattr(schedule, "run_case", run_case)
    on = environment.interpreter(sys.executable)
    monkeypatch.setattr(environment, "prepare", lambda *_: Environment(on, tmp_path))
    return ran


def test_results_are_merged_by_case_and_resuming_goes_on(fake_runs, tmp_path):
    arguments = ["--results", str(tmp_path), "--depth", "5", "--no-instructions"]
    assert command.main([*arguments, "--case", "suspend_once"]) == 0
    assert command.main([*arguments, "--case", "memory", "--case", "suspend_once", "--resume"]) == 0
    assert fake_runs == ["suspend_once", "memory"]
    (found,) = results.load_all(tmp_path)
    assert list(found.cases) == ["suspend_once", "memory"]
    assert (tmp_path / "RESULTS.md").exists()
    text = next(tmp_path.glob("*.json")).read_text()
    assert sys.executable not in text
    assert str(Path.home()) not in text


def test_a_case_that_fails_does_not_stop_the_others(fake_runs, tmp_path, monkeypatch, capsys):
    run = schedule.run_case

    def failing(asked, *rest):
        if asked.name == "suspend_once":
            raise BenchmarkError("nothing could be measured")
        return run(asked, *rest)

    monkeypatch.setattr(schedule, "run_case", failing)
    arguments = ["--results", str(tmp_path), "--depth", "5", "--no-instructions"]
    assert command.main([*arguments, "--case", "suspend_once", "--case", "memory"]) == 1
    assert "suspend_once was not measured" in capsys.readouterr().err
    (found,) = results.load_all(tmp_path)
    assert list(found.cases) == ["memory"]


# Comparing revisions


@pytest.fixture
def against():
    pytest.importorskip("rich", reason="the comparison is shown with rich")
    from benchmarks import against

    return against


def test_a_revision_that_there_is_not_is_an_error(against):
    with pytest.raises(BenchmarkError, match="also takes a folder"):
        against.sources("no-such-revision")


def test_a_folder_stands_for_a_revision(against, tmp_path):
    assert against.sources(str(tmp_path)) == tmp_path.resolve()


def test_core_cases_are_compared_with_native_await_and_ohwait_alone(against):
    plan = against.compared(command.plan_of(parsed()), False)
    assert [each.name for each in plan.cases] == ["suspend_once", "suspend_repeatedly", "not_suspending"]
    assert plan.needed() == (NATIVE, OHWAIT)
    chosen = against.compared(command.plan_of(parsed("--case", "memory")), True)
    assert [each.name for each in chosen.cases] == ["memory"]


@pytest.mark.parametrize(
    ("here", "count", "slower"),
    [
        ([1.0, 1.01, 0.99], 1.0, False),
        ([1.2, 1.21, 1.19], 1.1, True),
        ([1.2, 1.21, 1.19], 0.95, False),
        ([1.01, 1.02, 1.0], 1.05, True),
        ([0.9, 0.91, 0.9], 1.05, False),
        ([1.2, 1.21, 1.19], None, True),
    ],
)
def test_what_is_slower_in_time_or_instructions_is_told(against, tmp_path, monkeypatch, here, count, slower):
    told = iter(here)

    def worker(where, request, prefix=()):
        value = {"this": lambda: next(told), "against": lambda: 1.0}.get(str(where.path), lambda: 0.5)()
        return {str(point): {"loops": 1, "values": {"second": [value]}} for point in request["points"]}

    monkeypatch.setattr(schedule, "worker", worker)
    plan = against.compared(command.plan_of(parsed("--case", "suspend_once", "--depth", "5")), True)
    subjects = [
        schedule.Subject("native", NATIVE, Environment(HERE, Path("native"))),
        schedule.Subject("this", OHWAIT, Environment(HERE, Path("this"))),
        schedule.Subject("against", OHWAIT, Environment(HERE, Path("against"))),
    ]
    method = schedule.Method(rounds=3)
    (row,) = against.differences(case("suspend_once"), plan, subjects, method, lambda *_: None)
    assert against.is_slower(row, {} if count is None else {5: count}) is slower
    against.show(case("suspend_once"), [row], {5: count} if count else {}, "before")
