"""The benchmark command itself: what it measures, in which order, and what it writes. No speeds are asserted."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command
from benchmarks import driver, environment, instructions, report, results, schedule
from benchmarks.cases import cases
from benchmarks.contenders import CONTENDERS, NATIVE, OHWAIT, contender, implementation
from benchmarks.environment import BenchmarkError, Environment, Interpreter
from benchmarks.report.document import absolute, document, met
from benchmarks.report.readme import BEGIN, END, readme_with
from benchmarks.results import Measurement, Ratio, Results

pytestmark = pytest.mark.once

HERE = Interpreter("cpython-3.13", "3.13.0", "GCC", True, sys.executable)


def installed(name):
    """The implementation of the contender `name`, or a skipped test where its library is not installed."""
    for package in contender(name).packages:
        pytest.importorskip(package, reason=f"the contender {name} needs {package}")
    return implementation(name)


def yields(coroutine):
    """How often `coroutine` suspends until it ends."""
    count = 0
    try:
        while True:
            coroutine.send(None)
            count += 1
    except StopIteration:
        return count


def synthetic(version="3.13.0", at=2.0, missing=()):
    """Results in which ohwait takes half of native's time and memory, and greenlet `at` times them."""
    made = Results(
        interpreter={
            "id": "cpython-" + version.rpartition(".")[0],
            "version": version,
            "compiler": "GCC",
            "optimised": True,
        },
        machine={"processor": "a processor", "processors": 2, "architecture": "x86_64", "system": "Linux 6"},
        method={"rounds": 3, "date": "2026-01-02", "pinned": True, "load": 0.1, "revision": "0123456789ab"},
        versions={"ohwait": "1.0", "greenlet": "3.0"},
        missing=dict.fromkeys(missing, "no build for it"),
    )
    for case in cases():
        for depth in case.quick_depths:
            for each, factor in (("native", 1.0), ("ohwait", 0.5), ("awaitlet", at)):
                if each not in missing:
                    runs = [[factor * slow * 1e-6, factor * slow * 2e-6] for slow in (1, 3, 2)]
                    made.measurements.append(Measurement(case.name, depth, each, case.unit, 10, runs))
    return made


# The cases and contenders


def test_every_case_asks_a_question_and_has_its_targets_among_its_depths():
    assert len(cases()) >= 4
    for case in cases():
        assert "?" in case.question, case.name
        for target in case.targets:
            assert target.depth in case.quick_depths, (case.name, target)
            assert contender(target.against) in CONTENDERS


def test_native_await_comes_first_and_has_nothing_to_install():
    assert CONTENDERS[0] is NATIVE
    assert NATIVE.packages == ()


@pytest.mark.parametrize("depth", [0, 1, 7])
@pytest.mark.parametrize("name", [each.name for each in CONTENDERS])
def test_a_contender_suspends_as_often_as_it_is_asked_to(name, depth):
    waits = installed(name)
    assert yields(waits.one_wait(depth, driver.suspending)) == 1
    assert yields(waits.new_chains(depth, driver.suspending, 3)) == 3
    assert yields(waits.many_waits(depth, driver.suspending, 4)) == 4
    assert yields(waits.new_chains(depth, driver.ready, 3)) == 0


@pytest.mark.parametrize("name", [each.name for each in CONTENDERS])
def test_the_awaitable_is_made_below_depth_plus_one_functions(name):
    waits = installed(name)
    frames = []

    def make():
        names = []
        frame = sys._getframe(1)
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        frames.append(names)
        return driver.ready()

    for depth in (0, 5):
        frames.clear()
        yields(waits.new_chains(depth, make, 1))
        assert Counter(frames[0])["_once"] == depth + 1
        frames.clear()
        yields(waits.many_waits(depth, make, 1))
        assert Counter(frames[0])["_repeatedly"] == depth + 1


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_case_measures_something_with_native_await(case):
    assert case.measure(implementation("native"), 1, 3000) > 0


# Results


def test_a_ratio_divides_within_each_round_and_takes_the_fastest_value_of_a_process():
    made = synthetic()
    made.measurements = [
        Measurement("suspend_once", 0, "native", "second", 1, [[1.0, 9.0], [10.0], [2.0]]),
        Measurement("suspend_once", 0, "ohwait", "second", 1, [[2.0, 8.0], [30.0], [2.0]]),
    ]
    assert made.ratio("suspend_once", 0, "ohwait", "second") == Ratio(2.0, 1.5, 2.5)


def test_a_ratio_of_what_was_not_measured_is_none():
    made = synthetic(missing=["awaitlet"])
    assert made.ratio("suspend_once", 0, "awaitlet", "second") is None
    assert made.ratio("suspend_once", 999, "ohwait", "second") is None


def test_one_round_is_enough_for_a_ratio():
    made = synthetic()
    for each in made.measurements:
        del each.runs[1:]
    assert made.ratio("memory", 1, "ohwait", "byte") == Ratio(0.5, 0.5, 0.5)


def test_results_are_the_same_after_saving_and_loading(tmp_path):
    made = synthetic()
    path = results.save(made, tmp_path)
    assert path.name == "cpython-3.13.json"
    assert results.load(path) == made


def test_results_are_ordered_by_version(tmp_path):
    for version in ("3.13.0", "3.9.1", "3.14.2"):
        results.save(synthetic(version), tmp_path)
    assert [each.title for each in results.load_all(tmp_path)] == ["3.9", "3.13", "3.14"]


def test_results_of_another_format_are_refused(tmp_path):
    (tmp_path / "old.json").write_text('{"format": 0}')
    with pytest.raises(BenchmarkError, match="measure again"):
        report.check(tmp_path)


def test_results_name_neither_the_host_nor_a_path(tmp_path):
    on = environment.interpreter(sys.executable)
    made = schedule.results(Environment(on, tmp_path), environment.ROOT, schedule.QUICK, [], 0.0)
    text = results.save(made, tmp_path).read_text()
    assert on.executable not in text
    assert str(Path.home()) not in text


# The report


def test_targets_are_judged_by_the_figures_that_are_printed():
    (target,) = [each for each in cases()[0].targets if each.depth == 0]
    assert target.at_most == 0.85
    assert met(target, Ratio(0.8549, 0.8, 0.9))
    assert not met(target, Ratio(0.856, 0.8, 0.9))


def test_the_document_says_what_is_met_and_what_is_not():
    text = document([synthetic()])
    assert "one suspension per chain, depth 1, against native await | ≤ 1.25 | 0.50 met" in text
    assert "one suspension per chain, depth 1, against greenlet (awaitlet) | ≤ 0.050 | 0.25 **not met**" in text
    for case in cases():
        assert case.question in text
        assert f"plots/{case.name}.svg" in text


def test_the_document_says_who_was_left_out():
    text = document([synthetic("3.13.0"), synthetic("3.15.0", missing=["awaitlet"])])
    assert "3.15: greenlet (awaitlet) is left out: no build for it" in text


def test_instructions_get_columns_of_their_own_where_they_were_counted():
    made = synthetic()
    assert "instructions:" not in document([made])
    for name, value in (("native", 1000.0), ("ohwait", 1500.0)):
        made.measurements.append(Measurement("suspend_once", 5, name, "instruction", 800, [[value]]))
    text = document([made])
    assert "instructions: ohwait" in text
    assert "instructions: greenlet" not in text
    assert "| 1.50 |" in text


def test_figures_have_units():
    assert absolute(Measurement("c", 0, "native", "second", 1, [[1.2345e-6]])) == "1,234 ns"
    assert absolute(Measurement("c", 0, "native", "byte", 1, [[825.2]])) == "825 B"
    assert absolute(None) == "-"


def test_the_readme_keeps_what_is_around_the_table():
    text = readme_with([synthetic("3.12.0"), synthetic("3.13.0")], f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert text.startswith(f"before\n{BEGIN}\n| native `await` = 1 | depth | ohwait, 3.12 | ohwait, 3.13 |")
    assert text.endswith(f"|\n{END}\nafter\n")
    assert "old" not in text
    assert "| one suspension per chain | 1 | 0.50 | 0.50 | 2.00 |" in text


def test_a_readme_without_markers_is_an_error_that_names_them():
    with pytest.raises(BenchmarkError, match="bench:begin"):
        readme_with([synthetic()], "no table here")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of its own, with results, a README.md and a RESULTS.md that show them."""
    made = SimpleNamespace(
        readme=tmp_path / "README.md", document=tmp_path / "RESULTS.md", results=tmp_path / "results"
    )
    results.save(synthetic(), made.results)
    found = results.load_all(made.results)
    made.readme.write_text(readme_with(found, f"# x\n{BEGIN}\n{END}\n"))
    made.document.write_text(document(found))
    monkeypatch.setattr(report, "README", made.readme)
    monkeypatch.setattr(report, "DOCUMENT", made.document)
    monkeypatch.setattr(report, "DIRECTORY", made.results)
    monkeypatch.setattr(command, "DIRECTORY", made.results)
    return made


def test_check_passes_when_the_report_shows_the_results(project, capsys):
    assert command.main(["--check"]) == 0
    assert "show the results" in capsys.readouterr().out


def test_check_fails_when_the_readme_differs(project, capsys):
    project.readme.write_text(project.readme.read_text().replace("0.50", "0.10", 1))
    assert command.main(["--check"]) == 1
    assert "README.md: the benchmark table differs" in capsys.readouterr().out


def test_check_fails_when_the_results_differ(project, capsys):
    results.save(synthetic(at=30.0), project.results)
    assert command.main(["--check"]) == 1
    out = capsys.readouterr().out
    assert "README.md" in out
    assert "RESULTS.md" in out


def test_check_without_results_says_what_to_run(tmp_path, capsys):
    assert command.main(["--check", "--results", str(tmp_path)]) == 2
    assert "run `python -m benchmarks` first" in capsys.readouterr().err


def test_the_report_makes_the_check_pass_and_is_the_same_each_time(project):
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    project.readme.write_text(f"# x\n{BEGIN}\n{END}\n")
    project.document.unlink()
    written = report.write(project.results)
    assert report.check(project.results) == []
    plots = [path for path in written if path.suffix == ".svg"]
    assert {path.stem for path in plots} == {case.name for case in cases()}
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in report.write(project.results)] == before


# Measuring


def small_plan(**changes):
    chosen = tuple(case for case in cases() if case.name in ("suspend_once", "memory"))
    return schedule.Plan(chosen, CONTENDERS, (0, 5), **changes)


def test_a_plan_has_fewer_depths_when_quick():
    case = cases()[0]
    assert [depth for _, depth in schedule.Plan((case,), CONTENDERS).points()] == list(case.depths)
    assert [depth for _, depth in schedule.Plan((case,), CONTENDERS, quick=True).points()] == list(case.quick_depths)


def test_contenders_take_turns_and_each_measurement_has_a_run_for_each_round(monkeypatch, tmp_path):
    asked = []

    def worker(where, case, each, depth, options):
        asked.append((case.name, depth, each.name, tuple(options)))
        return SimpleNamespace(get_loops=lambda: 64, values=(1.0, 2.0))

    monkeypatch.setattr(schedule, "worker", worker)
    steps = []
    method = schedule.Method(rounds=3, values=2, warmups=1)
    made = schedule.measure(Environment(HERE, tmp_path), small_plan(), method, lambda *step: steps.append(step))

    assert len(made) == 2 * 2 * len(CONTENDERS)
    assert all(each.runs == [[1.0, 2.0]] * 3 for each in made)
    assert {each.case: each.loops for each in made} == {"suspend_once": 64, "memory": 1}
    assert steps[0][0] == 0
    assert steps[-1][:2] == (len(made) * 4, len(made) * 4)
    # At a point the contenders follow one another, and each round begins with the next of them.
    rounds = [entry for entry in asked if not any("calibrate" in option for option in entry[3])]
    first = [[name for _, _, name, _ in rounds[index : index + 3]] for index in range(0, len(rounds), 4 * 3)]
    assert first == [
        ["native", "ohwait", "awaitlet"],
        ["ohwait", "awaitlet", "native"],
        ["awaitlet", "native", "ohwait"],
    ]
    # Memory is not calibrated, and one process gives one value of it.
    assert not any("calibrate" in option for name, *_, options in asked if name == "memory" for option in options)
    assert any(options == ("--loops=1", "--values=1", "--warmups=0") for *_, options in asked)


def test_a_contender_that_is_not_installed_is_not_measured(monkeypatch, tmp_path):
    run = SimpleNamespace(get_loops=lambda: 1, values=(1.0,))
    monkeypatch.setattr(schedule, "worker", lambda *_: run)
    where = Environment(HERE, tmp_path, missing={"awaitlet": "no build"})
    made = schedule.measure(where, small_plan(), schedule.QUICK, lambda *_: None)
    assert {each.contender for each in made} == {"native", "ohwait"}


def test_a_worker_process_measures(monkeypatch):
    pytest.importorskip("pyperf", reason="a worker process is timed by pyperf")
    monkeypatch.setattr(Environment, "python", property(lambda self: Path(sys.executable)))
    where = Environment(HERE, Path(sys.prefix))
    by_name = {case.name: case for case in cases()}
    options = ["--loops=10", "--values=3", "--warmups=1"]
    run = schedule.worker(where, by_name["suspend_once"], NATIVE, 2, options)
    assert len(run.values) == 3
    assert schedule.calibrate(where, by_name["suspend_once"], NATIVE, 2, schedule.QUICK) > 1
    one = ["--loops=1", "--values=1", "--warmups=0"]
    (grown,) = schedule.worker(where, by_name["memory"], NATIVE, 5, one).values
    # Six suspended coroutine functions and a host: some hundred bytes each.
    assert 500 < grown < 10_000


def test_a_worker_that_fails_says_what_was_being_measured(monkeypatch):
    pytest.importorskip("pyperf", reason="a worker process is timed by pyperf")
    monkeypatch.setattr(Environment, "python", property(lambda self: Path(sys.executable)))
    with pytest.raises(BenchmarkError, match="memory of a suspended chain with native await at depth -1") as caught:
        schedule.worker(Environment(HERE, Path(sys.prefix)), cases()[-1], NATIVE, -1, ["--loops=1"])
    assert "exit status" in str(caught.value)


def test_instructions_are_the_difference_of_two_runs(monkeypatch, tmp_path):
    start_up, one = 5_000_000, 700
    monkeypatch.setattr(instructions, "total", lambda *arguments: start_up + one * arguments[-1])
    counted = instructions.count(Environment(HERE, tmp_path), small_plan(), lambda *_: None)
    # Memory is no matter of instructions.
    assert {each.case for each in counted} == {"suspend_once"}
    assert all(each.runs == [[one]] and each.unit == "instruction" for each in counted)


def test_counting_without_valgrind_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(instructions.shutil, "which", lambda name: None)
    with pytest.raises(BenchmarkError, match="needs valgrind"):
        instructions.count(Environment(HERE, tmp_path), small_plan(), lambda *_: None)


# Environments


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


def test_an_interpreter_that_is_not_there_is_an_error(capsys, monkeypatch):
    for name in ("matplotlib", "pyperf", "rich"):
        pytest.importorskip(name, reason=f"measuring needs {name}")
    assert command.main(["--quick", "--python", "no-such-python"]) == 2
    assert "no interpreter 'no-such-python'" in capsys.readouterr().err


@pytest.fixture
def pip(monkeypatch):
    """What pip is asked to install, instead of installing it; packages named in `fails` cannot be."""
    made = SimpleNamespace(installed=[], fails=set())

    def install(where, *arguments):
        made.installed.append(str(arguments[-1]))
        if arguments[-1] in made.fails:
            raise BenchmarkError(f"no build of {arguments[-1]}")

    monkeypatch.setattr(environment, "_pip", install)
    monkeypatch.setattr(environment, "create", lambda path, executable: path.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(environment, "run", lambda command, doing: json.dumps({"version-of": "1"}))
    return made


def test_what_is_installed_is_kept_until_the_sources_change(pip, tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "CACHE", tmp_path / "cache")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "setup.py").write_text("1")
    prepared = environment.prepare(HERE, CONTENDERS, tree, lambda text: None)
    assert pip.installed[0] == "pyperf"
    assert pip.installed[2:] == ["awaitlet", "greenlet"]
    assert prepared.missing == {}
    pip.installed.clear()
    environment.prepare(HERE, CONTENDERS, tree, lambda text: None)
    assert pip.installed == []
    (tree / "setup.py").write_text("2")
    environment.prepare(HERE, CONTENDERS, tree, lambda text: None)
    assert [Path(path).parent.name for path in pip.installed] == ["sources"]


def test_a_contender_that_cannot_be_installed_is_left_out_but_ohwait_is_not(pip, tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "CACHE", tmp_path / "cache")
    tree = tmp_path / "tree"
    tree.mkdir()
    with pytest.raises(BenchmarkError, match="has no setup"):
        environment.prepare(HERE, (OHWAIT,), tree, lambda text: None)
    (tree / "setup.py").write_text("1")
    pip.fails.add("greenlet")
    prepared = environment.prepare(HERE, CONTENDERS, tree, lambda text: None)
    assert prepared.missing == {"awaitlet": "no build of greenlet"}
    (tree / "setup.py").write_text("2")
    pip.fails.add(environment._clean_copy(tree))
    with pytest.raises(BenchmarkError, match="no build of"):
        environment.prepare(HERE, (OHWAIT,), tree, lambda text: None)


# The command


def test_list_shows_every_case_and_contender(capsys):
    assert command.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert all(case.question in out for case in cases())
    assert all(each.title in out for each in CONTENDERS)


def test_native_await_is_measured_whatever_is_chosen():
    options = command.parser().parse_args(["--contender", "awaitlet", "--case", "memory", "--depth", "3", "--quick"])
    plan = command.plan_of(options)
    assert [each.name for each in plan.contenders] == ["native", "awaitlet"]
    assert [(case.name, depth) for case, depth in plan.points()] == [("memory", 3)]
    assert command.method_of(options) == schedule.QUICK


def test_check_needs_nothing_but_the_standard_library():
    code = "import sys; from benchmarks.__main__ import main; main(['--list']); print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=environment.ROOT, check=True
    )
    loaded = done.stdout
    assert not any(f"'{name}'" in loaded for name in ("rich", "matplotlib", "pyperf", "ohwait", "greenlet"))
