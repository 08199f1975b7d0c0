"""The benchmarks' questions and contenders, and how they are measured. No speeds are asserted."""

import json
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from benchmark_tools import HERE

from benchmarks import driver, instructions, schedule, worker
from benchmarks.cases import Case, case, cases
from benchmarks.contenders import BARE, CONTENDERS, IN_A_TASK, NATIVE, OHWAIT, contender, implementation
from benchmarks.environment import BenchmarkError, Environment
from benchmarks.results import CaseResults, LeftOut, Measurement
from benchmarks.schedule import Method, Plan, Subject
from benchmarks.shapes import KINDS, Failure
from ohwait import CFunctionError

pytestmark = pytest.mark.once


def installed(name):
    """The implementation of the contender `name`, or a skipped test where its library is not installed."""
    module = contender(name).module
    if module and find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"the contender {name} needs {module}, which `python -m benchmarks` installs for itself")
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


# The cases and contenders


@pytest.mark.parametrize("asked", cases(), ids=lambda asked: asked.name)
def test_every_case_asks_a_question_of_contenders_that_there_are(asked):
    assert "?" in asked.question
    assert asked.baseline in asked.contenders
    assert {contender(name) for name in asked.contenders} <= set(CONTENDERS)
    assert set(asked.quick) <= set(asked.points)
    assert set(asked.core) <= set(asked.points)
    assert (asked.measure is None) != (asked.gauge is None)
    for target in asked.targets:
        assert target.point in asked.points
        assert target.against in asked.contenders


def test_the_questions_of_the_project_are_all_asked():
    names = [each.name for each in cases()]
    assert names[:4] == ["suspend_once", "suspend_repeatedly", "not_suspending", "memory"]
    assert names[-1].startswith("toolkit")
    assert set(case("suspend_once").points) == {0, 1, 2, 5, 10, 20, 50, 100, 1000}


def test_native_await_comes_first_and_has_nothing_to_install():
    assert CONTENDERS[0] is NATIVE
    assert NATIVE.packages == ()


@pytest.mark.parametrize("depth", [0, 1, 7])
@pytest.mark.parametrize("name", BARE)
def test_a_contender_suspends_as_often_as_it_is_asked_to(name, depth):
    waits = installed(name)
    assert yields(waits.one_wait(depth, driver.suspending)) == 1
    assert yields(waits.new_chains(depth, driver.suspending, 3)) == 3
    assert yields(waits.many_waits(depth, driver.suspending, 4)) == 4
    assert yields(waits.failing(depth, driver.failing, 2)) == 2
    assert yields(waits.inside(driver.suspending, 6)) == 6
    assert yields(waits.visit(driver.suspending, 5)) == 5
    assert yields(waits.new_chains(depth, driver.ready, 3)) == 0


@pytest.mark.parametrize("name", BARE)
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BARE)
def test_through_what_stands_between_a_contender_suspends_or_says_what_it_is(name, kind):
    waits = installed(name)
    try:
        assert yields(waits.through(kind, driver.suspending, 2)) == 2
    except CFunctionError as error:
        assert name == "ohwait"
        assert worker.reason(error).startswith("CFunctionError: ")


def test_what_an_awaitable_raises_reaches_the_host():
    host = implementation("ohwait").one_wait(3, driver.failing)
    host.send(None)
    with pytest.raises(Failure):
        host.send(None)


@pytest.mark.parametrize("name", IN_A_TASK)
def test_a_contender_waits_in_an_asyncio_task(name):
    waits = installed(name)
    assert driver.seconds_on("asyncio", waits.new_chains(2, driver.suspending, 3), waits) > 0
    assert driver.seconds_on("asyncio", waits.many_waits(2, driver.suspending, 3), waits) > 0
    assert case("entering").measure(waits, 1, 2) > 0


@pytest.mark.parametrize("loop", driver.LOOPS)
def test_a_chain_suspends_under_each_event_loop(loop):
    if find_spec(loop) is None:  # curio cannot be imported without help everywhere.
        pytest.skip(f"the event loop {loop} is not installed")
    for name in ("native", "ohwait"):
        assert driver.seconds_on(loop, implementation(name).new_chains(2, driver.pause(loop), 3)) > 0


@pytest.mark.parametrize("asked", cases(), ids=lambda asked: asked.name)
def test_a_case_measures_something(asked):
    if asked.measure is None:
        pytest.skip("a gauge takes a process of its own: test_a_worker_process_gauges")
    assert asked.measure(asked.subject(asked.baseline), asked.points[0], 300) > 0


# Measuring


@pytest.fixture
def here(monkeypatch):
    """An environment that is this test's own interpreter."""
    monkeypatch.setattr(Environment, "python", property(lambda self: Path(sys.executable)))
    return Environment(HERE, Path(sys.prefix))


FAST = Method(rounds=2, gauges=1, values=3, warmups=1, seconds_a_value=0.0005)


def small_plan(**changes):
    chosen = tuple(case(name) for name in ("suspend_once", "memory"))
    return Plan(chosen, CONTENDERS, (0, 5), **changes)


def test_a_plan_has_fewer_points_when_quick():
    asked = case("suspend_once")
    assert Plan((asked,), CONTENDERS).points_of(asked) == asked.points
    assert Plan((asked,), CONTENDERS, quick=True).points_of(asked) == asked.quick
    assert Plan((asked,), CONTENDERS, (3,)).points_of(asked) == (3,)
    assert Plan((case("event_loops"),), CONTENDERS, (3, "trio")).points_of(case("event_loops")) == ("trio",)


def test_a_plan_needs_the_baseline_and_what_the_case_itself_needs():
    loops = case("event_loops")
    names = [each.name for each in Plan((loops,), (contender("greenlet"),)).needed()]
    assert names == ["native", "greenlet", "uvloop", "trio", "curio"]


def stand_in(monkeypatch, answers):
    """Have workers answer what `answers(request)` says; return what they were asked."""
    asked = []

    def run(environment, request, prefix=()):
        asked.append(request)
        return {str(point): answers(request, point) for point in request["points"]}

    monkeypatch.setattr(schedule, "worker", run)
    return asked


def subjects(where, names=("native", "ohwait", "awaitlet")):
    return [Subject(name, contender(name), where) for name in names]


def test_contenders_take_turns_and_each_measurement_has_a_run_for_each_round(monkeypatch, tmp_path):
    asked = stand_in(monkeypatch, lambda request, point: {"loops": 64, "values": {"second": [1.0, 2.0]}})
    steps = []
    method = Method(rounds=3, values=2, warmups=1)
    where = Environment(HERE, tmp_path)
    table = schedule.measure(case("suspend_once"), (0, 5), subjects(where), method, lambda *step: steps.append(step))
    made = table.measurements()
    assert len(made) == 2 * 3
    assert all(each.runs == [[1.0, 2.0]] * 3 and each.loops == 64 for each in made)
    assert steps[0][0] == 0
    assert steps[-1][:2] == (9, 9)
    order = [request["contender"] for request in asked]
    assert [order[index : index + 3] for index in range(0, 9, 3)] == [
        ["native", "ohwait", "awaitlet"],
        ["ohwait", "awaitlet", "native"],
        ["awaitlet", "native", "ohwait"],
    ]
    # Calibrated in the first round, used in the others.
    assert [request["loops"] for request in asked] == [{}] * 3 + [{"0": 64, "5": 64}] * 6


def test_a_gauge_has_a_process_for_each_point(monkeypatch, tmp_path):
    answers = {"loops": 1, "values": {"byte": [900.0], "byte at the peak": [1000.0]}}
    asked = stand_in(monkeypatch, lambda request, point: answers)
    where = Environment(HERE, tmp_path)
    table = schedule.measure(case("memory"), (0, 5), subjects(where), FAST, lambda *_: None)
    assert [request["points"] for request in asked] == [[0], [5]] * 3
    assert all(request["verb"] == "gauge" for request in asked)
    assert Counter(each.unit for each in table.measurements()) == {"byte": 6, "byte at the peak": 6}


def test_what_failed_once_is_not_asked_again_and_the_reason_is_kept(monkeypatch, tmp_path):
    def answers(request, point):
        if request["contender"] == "awaitlet" and point == 5:
            return {"error": "RecursionError: too deep"}
        return {"loops": 1, "values": {"second": [1.0]}}

    asked = stand_in(monkeypatch, answers)
    where = Environment(HERE, tmp_path, missing={"ohwait": "no build"})
    plan = Plan((case("suspend_once"),), tuple(map(contender, ("native", "ohwait", "awaitlet"))), (0, 5))
    made = schedule.run_case(case("suspend_once"), plan, where, Path(), FAST, lambda *_: None)
    assert made.left_out == [
        LeftOut("ohwait", [], "no build"),
        LeftOut("awaitlet", [5], "RecursionError: too deep"),
    ]
    assert [r["points"] for r in asked if r["contender"] == "awaitlet"] == [[0, 5], [0]]
    assert {(each.contender, each.point) for each in made.measurements} == {
        ("native", 0),
        ("native", 5),
        ("awaitlet", 0),
    }


def test_a_case_of_which_nothing_can_be_measured_is_an_error(monkeypatch, tmp_path):
    stand_in(monkeypatch, lambda request, point: {"error": "ImportError: broken"})
    plan = Plan((case("suspend_once"),), (NATIVE,), (0,))
    with pytest.raises(BenchmarkError, match=r"suspend_once .*ImportError: broken"):
        schedule.run_case(case("suspend_once"), plan, Environment(HERE, tmp_path), Path(), FAST, lambda *_: None)


def test_resuming_leaves_out_what_was_measured_of_the_same_sources(monkeypatch):
    monkeypatch.setattr(schedule, "fingerprint", lambda tree: "sources")
    asked = case("suspend_once")
    plan = Plan((asked,), (NATIVE, OHWAIT), (0, 5))
    made = [Measurement(point, name, "second", 1, [[1.0]]) for point in (0, 5) for name in ("native", "ohwait")]

    def found(rounds=2, sources="sources", measurements=made, left_out=()):
        return CaseResults({"rounds": rounds, "sources": sources}, {}, list(measurements), list(left_out))

    def is_measured(results):
        return schedule.is_measured(asked, plan, results, Path(), FAST)

    assert is_measured(found())
    assert not is_measured(None)
    assert not is_measured(found(rounds=1))
    assert not is_measured(found(sources="others"))
    assert not is_measured(found(measurements=made[:3]))
    assert is_measured(found(measurements=made[::2], left_out=[LeftOut("ohwait", [], "no build")]))


def request(name, who, points, **changes):
    where = Subject(who, contender(who), Environment(HERE, Path()))
    return {**schedule.request_for(case(name), where, points, FAST), **changes}


def test_a_worker_process_times(here):
    pytest.importorskip("pyperf", reason="a worker process is timed by pyperf")
    answers = schedule.worker(here, request("suspend_once", "native", [0, 2]))
    assert set(answers) == {"0", "2"}
    for answer in answers.values():
        assert answer["loops"] > 1
        assert len(answer["values"]["second"]) == 3
        assert all(value > 0 for value in answer["values"]["second"])
    again = schedule.worker(here, request("suspend_once", "native", [2], loops={"2": 77}))
    assert again["2"]["loops"] == 77


def test_a_worker_process_gauges(here):
    answers = schedule.worker(here, request("memory", "native", [5]))
    # Six suspended coroutine functions and a host: some hundred bytes each.
    assert 500 < answers["5"]["values"]["byte"][0] < 10_000
    assert answers["5"]["values"]["byte at the peak"][0] > 500


def test_a_worker_answers_with_the_reason_where_a_contender_cannot(here):
    pytest.importorskip("pyperf", reason="a worker process is timed by pyperf")
    answers = schedule.worker(here, request("suspend_once", "native", [-1, 0]))
    assert answers["-1"]["error"].startswith("RecursionError: ")
    assert answers["0"]["values"]["second"]


def test_a_worker_that_dies_or_cannot_import_says_so(here, monkeypatch):
    monkeypatch.setattr(schedule, "WORKER", Path(__file__).with_name("no such worker.py"))
    assert "exit status 2" in schedule.worker(here, request("memory", "native", [0]))["0"]["error"]
    monkeypatch.undo()
    monkeypatch.setattr(Environment, "python", property(lambda self: Path(sys.executable)))
    answer = schedule.worker(here, {**request("memory", "native", [0]), "contender": "no_such"})
    assert answer["0"]["error"].startswith("ModuleNotFoundError")


def test_what_lasts_longer_is_calibrated_to_fewer_operations():
    calls = []

    def measure(loops):
        calls.append(loops)
        return loops * 1e-5

    loops = worker._calibrated(measure, 0.003)
    assert 300 <= loops <= 700
    assert worker._calibrated(lambda loops: 1.0, 0.003) == 1
    assert calls[0] == 1


# Instructions


def test_instructions_are_those_between_the_marks(monkeypatch, tmp_path):
    monkeypatch.setattr(instructions.shutil, "which", lambda name: "valgrind")
    where = Subject("ohwait", OHWAIT, Environment(HERE, tmp_path))

    def worker(environment, request, prefix):
        (output,) = [Path(word.partition("=")[2]) for word in prefix if "out-file" in word]
        totals = [5_000_000, 700 * instructions.LOOPS, 90_000, 900 * instructions.LOOPS, 1]
        for index, total in enumerate(totals):
            output.with_name(f"out.{index + 1}").write_text(f"part: {index + 1}\n\ntotals: {total}\n")
        assert request["verb"] == "count"
        return {str(point): {"loops": 1, "values": {}} for point in request["points"]}

    monkeypatch.setattr(instructions, "worker", worker)
    counted = instructions.count_one(case("suspend_once"), where, [0, 5])
    assert counted["0"]["values"] == {"instruction": [700]}
    assert counted["5"]["values"] == {"instruction": [900]}


def test_callgrind_counts_the_same_twice(here):
    if not instructions.available():
        pytest.skip("valgrind is not installed")
    where = Subject("native", NATIVE, here)
    first, second = (instructions.count_one(case("not_suspending"), where, [0]) for _ in range(2))
    ((one,),) = first["0"]["values"].values()
    ((other,),) = second["0"]["values"].values()
    assert 100 < one < 100_000
    assert one == pytest.approx(other, rel=0.01)


def test_counting_without_valgrind_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(instructions.shutil, "which", lambda name: None)
    where = Subject("ohwait", OHWAIT, Environment(HERE, tmp_path))
    assert not instructions.available()
    with pytest.raises(BenchmarkError, match="needs valgrind"):
        instructions.count_one(case("suspend_once"), where, [0])


# The toolkit's cases


@pytest.mark.parametrize("name", [each.name for each in cases() if each.name.startswith("toolkit")])
@pytest.mark.parametrize("who", ["native", "ohwait", "asynkit"])
def test_a_toolkit_case_measures_or_says_what_is_missing(name, who):
    asked = case(name)
    if who not in asked.contenders:
        pytest.skip(f"{who} has nothing of the kind")
    try:
        subject = asked.subject(who)
    except ImportError as error:
        pytest.skip(f"not installed: {error}")
    assert asked.measure(subject, asked.points[0], 200) > 0


def test_a_case_is_read_from_its_module():
    asked = case("memory")
    assert isinstance(asked, Case)
    assert asked.unit == "byte"
    assert asked.smooth
    assert not case("event_loops").smooth
    assert json.dumps(asked.points) == "[0, 1, 2, 5, 10, 20, 50, 100]"
