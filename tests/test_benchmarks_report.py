"""The benchmarks' results and what is written from them."""

from types import SimpleNamespace

import pytest
from benchmark_tools import synthetic

from benchmarks import __main__ as command
from benchmarks import report, results
from benchmarks.cases import case, cases
from benchmarks.environment import BenchmarkError
from benchmarks.report.document import absolute, document, met
from benchmarks.report.readme import BEGIN, END, readme_with
from benchmarks.results import Measurement, Ratio, slope
from benchmarks.significance import compare, t_quantile

pytestmark = pytest.mark.once

ONCE = case("suspend_once")


def test_a_ratio_divides_within_each_round_and_takes_the_fastest_value_of_a_process():
    made = synthetic()
    made.cases["suspend_once"].measurements = [
        Measurement(0, "native", "second", 1, [[1.0, 9.0], [10.0], [2.0]]),
        Measurement(0, "ohwait", "second", 1, [[2.0, 8.0], [30.0], [2.0]]),
    ]
    assert made.ratio(ONCE, 0, "ohwait") == Ratio(2.0, 1.5, 2.5)


def test_a_ratio_of_what_was_not_measured_is_none():
    made = synthetic(missing=["awaitlet"])
    assert made.ratio(ONCE, 0, "awaitlet") is None
    assert made.ratio(ONCE, 999, "ohwait") is None
    del made.cases["suspend_once"]
    assert made.ratio(ONCE, 0, "ohwait") is None
    assert made.points(ONCE) == []


def test_one_round_is_enough_for_a_ratio():
    made = synthetic()
    for each in made.cases["memory"].measurements:
        del each.runs[1:]
    assert made.ratio(case("memory"), 1, "ohwait") == Ratio(0.5, 0.5, 0.5)


def test_a_case_may_have_another_baseline():
    made = synthetic()
    assert made.ratio(case("service"), 1, "native") == Ratio(2.0, 2.0, 2.0)


def test_a_slope_is_that_of_the_line_whatever_the_scale():
    assert slope([(0, 100.0), (10, 120.0), (1000, 2100.0)]) == pytest.approx(2.0)
    assert slope([(0, 100.0)]) is None
    # A point far out that is 1 % off moves the slope by about 1 %, and no more.
    assert slope([(0, 100.0), (1, 102.0), (1000, 2121.0)]) == pytest.approx(2.0, rel=0.03)


def test_growth_is_in_nanoseconds_for_one_more_step():
    made = synthetic()
    made.cases["suspend_once"].measurements = [
        Measurement(depth, "ohwait", "second", 1, [[1e-6 + depth * 3e-9]]) for depth in (0, 10, 100)
    ]
    assert made.growth(ONCE, "ohwait") == pytest.approx(3.0)


def test_results_are_the_same_after_saving_and_loading(tmp_path):
    made = synthetic(missing=["awaitlet"])
    path = results.save(made, tmp_path)
    assert path.name == "cpython-3.13.json"
    assert results.load(path) == made
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_results_are_ordered_by_version(tmp_path):
    for version in ("3.13.0", "3.9.1", "3.14.2"):
        results.save(synthetic(version), tmp_path)
    assert [each.title for each in results.load_all(tmp_path)] == ["3.9", "3.13", "3.14"]


def test_results_of_another_format_are_refused(tmp_path):
    (tmp_path / "old.json").write_text('{"format": 0}')
    with pytest.raises(BenchmarkError, match="measure again"):
        report.check(tmp_path)


# Significance


def test_a_difference_that_every_round_shows_is_significant():
    found = compare([0.90, 0.91, 0.89, 0.90, 0.90])
    assert found.significant
    assert found.verdict == "faster"
    assert found.low < 0.9 < found.high < 1
    assert compare([1.1, 1.12, 1.11, 1.1]).verdict == "slower"


def test_noise_is_not_significant():
    found = compare([0.8, 1.3, 0.9, 1.1])
    assert not found.significant
    assert found.verdict == "within noise"
    with pytest.raises(ValueError, match="at least two"):
        compare([0.5])


@pytest.mark.parametrize(("freedom", "expected"), [(1, 12.706), (10, 2.228), (30, 2.042), (100, 1.984)])
def test_the_quantiles_of_students_t(freedom, expected):
    assert t_quantile(freedom) == pytest.approx(expected, abs=0.002)


# The report


def test_targets_are_judged_by_the_figures_that_are_printed():
    (target,) = [each for each in case("not_suspending").targets if each.point == 0]
    assert target.at_most == 0.8
    assert met(target, Ratio(0.8049, 0.8, 0.9))
    assert not met(target, Ratio(0.806, 0.8, 0.9))


def test_the_document_says_what_is_met_and_what_is_not():
    text = document([synthetic()])
    assert "one suspension per chain, 1, against native await | ≤ 1.10 | 0.50 met" in text
    assert "one suspension per chain, 1, against awaitlet | ≤ 0.050 | 0.25 **not met**" in text
    assert "repeated suspension in one chain, for one more frame | ≤ 2.00 ns | " in text
    for each in cases():
        assert each.question in text
        assert f"plots/{each.name}.svg" in text


def test_the_document_begins_with_the_headline():
    lines = [line for line in document([synthetic("3.12.0"), synthetic()]).splitlines() if line]
    assert lines[2].startswith("**On CPython 3.13, a chain of plain functions of depth 20 ")
    assert "The original ohwait experiment" in document([synthetic()])


def test_the_document_says_who_was_left_out_where_and_why():
    text = document([synthetic("3.13.0"), synthetic("3.15.0", missing=["awaitlet"])])
    assert "- 3.15: awaitlet: no build for it\n" in text
    some = synthetic()
    some.cases["through_c"].left_out = [results.LeftOut("ohwait", ["with", "__init__"], "CFunctionError: no")]
    assert "- 3.13: ohwait (with, __init__): CFunctionError: no\n" in document([some])


def test_instructions_get_a_table_of_their_own_where_they_were_counted():
    made = synthetic()
    assert "Instructions:" not in document([made])
    for name, value in (("native", 1000.0), ("ohwait", 1500.0)):
        made.cases["suspend_once"].measurements.append(Measurement(5, name, "instruction", 800, [[value]]))
    text = document([made])
    assert "Instructions:\n\n| CPython, depth of the chain | native await | ohwait |" in text
    assert "| 3.13, 5 | 1,000 | 1.50 |" in text


def test_figures_have_units():
    def of(value, unit):
        return absolute(Measurement(0, "native", unit, 1, [[value]]))

    assert of(1.2345e-6, "second") == "1,234 ns"
    assert of(0.0123, "second of a process") == "12.30 ms"
    assert of(0.004, "second of a request") == "250 requests/s"
    assert of(825.2, "byte") == "825 B"
    assert of(825.2, "instruction") == "825"
    assert absolute(None) == "-"


def test_the_readme_keeps_what_is_around_the_table():
    text = readme_with([synthetic("3.12.0"), synthetic("3.13.0")], f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert text.startswith(f"before\n{BEGIN}\n| native `await` = 1 | depth | ohwait, 3.12 | ohwait, 3.13 | raw ")
    assert text.endswith(f"|\n{END}\nafter\n")
    assert "old" not in text
    assert "| one suspension per chain | 1 | 0.50 | 0.50 | 2.00 | 2.00 |" in text


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


def test_the_projects_own_report_shows_its_results():
    assert report.check() == []


def test_the_report_makes_the_check_pass_and_is_the_same_each_time(project):
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    project.readme.write_text(f"# x\n{BEGIN}\n{END}\n")
    project.document.unlink()
    written = report.write(project.results)
    assert report.check(project.results) == []
    plots = [path for path in written if path.suffix == ".svg"]
    assert {path.stem for path in plots} == {each.name for each in cases()}
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in report.write(project.results)] == before


def test_every_colour_shows_on_white_and_on_black():
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    from benchmarks.contenders import CONTENDERS
    from benchmarks.report.plots import TEXT, look

    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in {TEXT, *(look(each.name)["color"] for each in CONTENDERS)}:
        assert (luminance(colour) + 0.05) / 0.05 >= 3, colour
        assert 1.05 / (luminance(colour) + 0.05) >= 3, colour
    looks = [tuple(sorted(look(each.name).items())) for each in CONTENDERS]
    assert len(set(looks)) == len(looks)
