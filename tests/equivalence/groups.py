"""The test modules that are held against each other, of the standard library and of trio."""

import ast
import importlib.util
import warnings
from functools import cache
from pathlib import Path

from .runs import Module

SLOWEST = (
    "test_asyncio.test_ssl",
    "test_asyncio.test_subprocess",
    "test_asyncio.test_events",
    "test_asyncio.test_tasks",
)
"""To be started first."""


def stdlib_missing() -> str:
    """Why the standard library's tests cannot be run here; empty if they can."""
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_asyncio") is None:
        return "this Python comes without its package `test`"
    return ""


@cache
def stdlib_modules() -> list[Module]:
    """Each module of the package `test` that contains an `await`."""
    spec = importlib.util.find_spec("test")
    if stdlib_missing() or spec is None:
        return []
    names = []
    for location in spec.submodule_search_locations or ():
        for path in sorted(Path(location).rglob("test*.py")):
            if _awaits(path):
                names.append(".".join(path.relative_to(location).with_suffix("").parts))
    names.sort(key=lambda name: (name not in SLOWEST, name))
    return [stdlib_module("test." + name) for name in names]


def stdlib_module(name: str) -> Module:
    """A module of `test`; awaits are rewritten in the package it belongs to, for its helpers' sake."""
    package = ".".join(name.split(".")[:2])
    return Module(name, (package,))


def trio_missing() -> str:
    """Why trio's tests cannot be run here; empty if they can."""
    for package in ("trio", "pytest"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    return "" if importlib.util.find_spec("trio._tests") else "trio is installed without its tests"


@cache
def trio_modules() -> list[Module]:
    """trio's two packages of tests, which are part of what is installed."""
    options = ("-p", "trio._tests.pytest_plugin", "--skip-optional-imports")
    return [
        Module(name, ("trio._tests", "trio._core._tests"), runner="pytest", options=options)
        for name in ("trio._core._tests", "trio._tests")
    ]


def _awaits(path: Path) -> bool:
    source = path.read_bytes()
    if b"await" not in source:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
        except SyntaxError:
            return False
    return any(isinstance(node, ast.Await) for node in ast.walk(tree))
