"""The layers of the tree: includes and imports point downward; only csrc/cpython/ knows CPython's internals."""

import ast
import re
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "ohwait"
C_FILES = sorted(path for path in CSRC.rglob("*") if path.suffix in {".c", ".h"})
PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
VERSIONS = re.compile(
    r"(\bPy_BUILD_CORE\w*|\bPY_VERSION_HEX|\bPy_GIL_DISABLED|#\s*(?:el)?if\b[^\n]*\bPY_(?:MAJOR|MINOR)_VERSION)\b"
)
FIELDS = re.compile(
    r"->\s*(datastack_\w+|c?frame|current_frame|exc_info|exc_state|gi_\w+|cr_\w+|ag_\w+|prev_instr|instr_ptr"
    r"|stacktop|stackpointer|localsplus|f_executable|f_code|f_funcobj|f_frame|frame_obj|is_entry|yield_offset"
    r"|return_offset|\w*recursion_(?:remaining|limit|headroom)|co_code_adaptive)\b"
)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_of(path: Path) -> str:
    """The C file without its comments, line numbers kept."""
    return COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), path.read_text())


def places(path: Path, pattern: re.Pattern[str]) -> list[str]:
    text = code_of(path)
    return [f"{relative(path)}:{text.count(chr(10), 0, m.start()) + 1}: {m[1]}" for m in pattern.finditer(text)]


def c_layer(path: Path) -> str:
    """csrc/chain.c and csrc/chain.h are the layer "chain", csrc/frames/* is "frames"."""
    if path.name == "check.h":
        return "frames"  # The assertions are called by the layer that they are about; check.c is above it.
    return path.relative_to(CSRC).with_suffix("").parts[0]


def python_module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def cycle(graph: dict[str, set[str]]) -> str:
    """The first cycle found in the graph, as text; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " <- ".join(error.args[1])
    return ""


def imports_of(path: Path) -> set[str]:
    """The modules of this package that the file imports when it runs (not those for the type checker only)."""
    modules = {python_module(other) for other in PYTHON_FILES} | {"ohwait._core"}
    name = python_module(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    for block in [node for node in ast.walk(tree) if isinstance(node, ast.If)]:
        if "TYPE_CHECKING" in ast.dump(block.test):
            block.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            ancestors = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*ancestors, *([node.module] if node.module else [])])
            for alias in node.names:
                found.add(f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base)
    return found & modules - {name}


def test_there_is_something_to_check() -> None:
    assert any(path.name.startswith("py3") for path in C_FILES)
    assert any(path.name == "module.c" for path in C_FILES)
    assert PACKAGE / "__init__.py" in PYTHON_FILES


def test_includes_point_downward() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for path in C_FILES:
        for _, included in INCLUDE.findall(path.read_text()):
            for target in (CSRC / included, path.parent / included):
                if target.is_file() and c_layer(target) != c_layer(path):
                    graph[c_layer(path)].add(c_layer(target))
    assert not cycle(graph)
    assert not graph["cpython"], "csrc/cpython/ is the bottom: it includes nothing of ours"
    assert "module" not in set().union(*graph.values()), "csrc/module.c is the top: nothing includes it"


def test_imports_point_downward() -> None:
    graph = {python_module(path): imports_of(path) for path in PYTHON_FILES}
    assert not cycle(graph)


def test_event_loops_are_below_the_core_not_in_it() -> None:
    users = {python_module(path) for path in PYTHON_FILES if "ohwait._core" in imports_of(path)}
    assert users
    assert not {name for name in users if name.startswith("ohwait._backends")}


@pytest.mark.parametrize("pattern", [VERSIONS, FIELDS], ids=["versions", "fields"])
def test_only_the_cpython_layer_knows_the_interpreter(pattern: re.Pattern[str]) -> None:
    outside = [path for path in C_FILES if c_layer(path) != "cpython"]
    assert [place for path in outside for place in places(path, pattern)] == []


def test_only_the_cpython_layer_includes_internal_headers() -> None:
    found = [
        f"{relative(path)}: {included}"
        for path in C_FILES
        if c_layer(path) != "cpython"
        for _, included in INCLUDE.findall(path.read_text())
        if "internal/" in included or "pycore_" in included
    ]
    assert found == []


def test_the_package_asks_the_core_not_the_version() -> None:
    pattern = re.compile(r"\b(version_info|hexversion|python_version)\b")
    assert [relative(path) for path in PYTHON_FILES if pattern.search(path.read_text())] == []


def test_files_are_short() -> None:
    files = [*C_FILES, *PYTHON_FILES, *PACKAGE.rglob("*.pyx")]
    lengths = {relative(path): len(path.read_text().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > 500} == {}
