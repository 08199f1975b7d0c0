"""Turns every ``await X`` of a module into the call of a plain function, as the module is imported.

File names, lines and columns stay those of the source, so that tracebacks read the same. A function that was
``async`` stays it: ``async def`` is left alone, and a generator expression that was asynchronous only because it
contained an ``await`` gets a condition that keeps it so. ``async for`` and ``async with`` are left alone.
"""

import ast
import builtins
import functools
import importlib.machinery
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib.abc import MetaPathFinder
from types import CodeType, ModuleType
from typing import Any

CALL_NAME = "__ohwait_instead_of_await__"
"""The builtin that rewritten code calls; it ends in ``__`` so that class bodies do not mangle it."""

Wait = Callable[[Awaitable[Any]], Any]


class AwaitToCall(ast.NodeTransformer):
    """Replace each ``await X`` by ``CALL_NAME(X)``; `rewritten` counts them."""

    def __init__(self) -> None:
        self.rewritten = 0
        self._in_scope = [0]

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        self.rewritten += 1
        self._in_scope[-1] += 1
        name = ast.copy_location(ast.Name(CALL_NAME, ast.Load()), node)
        return ast.copy_location(ast.Call(name, [node.value], []), node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        # The first iterable is evaluated outside; lists, sets and dicts inside pass their asynchronousness on.
        node.generators[0].iter = self.visit(node.generators[0].iter)
        self._in_scope.append(0)
        node.elt = self.visit(node.elt)
        for index, clause in enumerate(node.generators):
            clause.target = self.visit(clause.target)
            if index:
                clause.iter = self.visit(clause.iter)
            clause.ifs = [self.visit(condition) for condition in clause.ifs]
        if self._in_scope.pop():
            # `True or await None` never awaits, but it makes the compiler see an asynchronous generator.
            never = ast.Await(ast.Constant(None))
            condition = ast.BoolOp(ast.Or(), [ast.Constant(True), never])
            ast.copy_location(condition, node)
            node.generators[-1].ifs.append(ast.fix_missing_locations(condition))
        return node


def rewrite(source: bytes | str, path: str) -> tuple[CodeType, int]:
    """Compile `source` with its awaits rewritten; return the code and how many there were."""
    tree = ast.parse(source, path)
    transformer = AwaitToCall()
    tree = transformer.visit(tree)
    return compile(tree, path, "exec", dont_inherit=True), transformer.rewritten


def plain_frames(wait: Wait, depth: int, through_c: bool = False) -> Wait:
    """A function that calls `wait`, through `depth` plain Python frames in all; with `through_c`, at least two, the
    first of which calls the next through `map` and `functools.partial`."""
    if depth == 0 and not through_c:
        return wait

    def last(box: list[Awaitable[Any]]) -> Any:
        return wait(box.pop())

    def between(call: Callable[[list[Awaitable[Any]]], Any]) -> Callable[[list[Awaitable[Any]]], Any]:
        def plain(box: list[Awaitable[Any]]) -> Any:
            return call(box)

        return plain

    call: Callable[[list[Awaitable[Any]]], Any] = last
    for _ in range(depth - 2):
        call = between(call)

    # `await X` keeps no reference to X but its iterator's. A local variable would be one, and outlive the call
    # in the traceback of an exception.
    def first(awaitable: Awaitable[Any]) -> Any:
        box = [awaitable]
        del awaitable
        return call(box)

    def first_through_c(awaitable: Awaitable[Any]) -> Any:
        box = [awaitable]
        del awaitable
        return next(map(functools.partial(call), [box]))

    def only(awaitable: Awaitable[Any]) -> Any:
        box = [awaitable]
        del awaitable
        return wait(box.pop())

    if through_c:
        return first_through_c
    return only if depth == 1 else first


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from its source, rewritten; neither reads nor writes byte code files."""

    def __init__(self, fullname: str, path: str, finder: "RewritingFinder") -> None:
        super().__init__(fullname, path)
        self._finder = finder

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code, rewritten = rewrite(self.get_data(path), path)
        self._finder.rewritten[fullname] = rewritten
        return code


class RewritingFinder(MetaPathFinder):
    """Finds modules as ever, but loads those below the given package names rewritten."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(prefixes)
        self.rewritten: dict[str, int] = {}
        """Awaits rewritten, by module name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not any(fullname == prefix or fullname.startswith(prefix + ".") for prefix in self._prefixes):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path, self)
        return spec


def install(wait: Wait, prefixes: Sequence[str], depth: int, through_c: bool = False) -> RewritingFinder:
    """Rewrite all modules below `prefixes` that are imported from now on; calls go `depth` frames deep."""
    setattr(builtins, CALL_NAME, plain_frames(wait, depth, through_c))
    finder = RewritingFinder(prefixes)
    sys.meta_path.insert(0, finder)
    return finder
