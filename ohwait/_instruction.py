"""What the instruction that a frame is executing does through C, in words.

A frame that called a C function still stands at the instruction that did it, and CPython's `dis` knows the
instructions of the running version. The name of what a call calls is that of the instruction that put the callable on
the stack.
"""

from __future__ import annotations

import dis
import sys
from types import BuiltinFunctionType, BuiltinMethodType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from ._bytecode import entries_above_callee, producer, pushes_null

__all__ = ["Action", "describe"]


class Action(NamedTuple):
    """What stands between a plain function and the coroutine."""

    name: str
    """Short, for programs: ``"sorted()"``, ``"operator +"``."""
    noun: str
    """For a sentence: ``"the built-in function sorted()"``."""
    advice: str
    """What to do instead, a sentence."""


_METHOD = "call {entered} by its name, which is a plain call, or wait first and use the result here."
_ITERATE = (
    "call the iterator's __next__() in a while loop (ohwait.iterate() gives an async iterable one), "
    "or collect the items first."
)
_WITH = "call {entered} by its name, in a try statement in place of the with statement."
_ATTRIBUTE = "make it a method: what an attribute looks up in Python runs inside C."
_WAIT_FIRST = "wait first, and use the result here."

_ACTIONS: dict[str, tuple[str, str]] = {
    "BEFORE_ASYNC_WITH": ("async with statement", _WITH),
    "BEFORE_WITH": ("with statement", _WITH),
    "BINARY_OP": ("operator {repr}", _METHOD),
    "BINARY_SLICE": ("operator [:]", _METHOD),
    "BINARY_SUBSCR": ("operator []", _METHOD),
    "BUILD_": ("display of a set or dict", _WAIT_FIRST),
    "COMPARE_OP": ("operator {value}", _METHOD),
    "CONTAINS_OP": ("operator in", _METHOD),
    "CONVERT_VALUE": ("formatting", _WAIT_FIRST),
    "DELETE_ATTR": ("attribute .{value}", _ATTRIBUTE),
    "DELETE_SUBSCR": ("operator del []", _METHOD),
    "DICT_": ("unpacking with **", _WAIT_FIRST),
    "FORMAT_": ("formatting", _WAIT_FIRST),
    "FOR_ITER": ("for loop", _ITERATE),
    "GET_AITER": ("async for loop", _METHOD),
    "GET_ANEXT": ("async for loop", _METHOD),
    "GET_AWAITABLE": ("await", _WAIT_FIRST),
    "GET_ITER": ("start of a for loop", _ITERATE),
    "GET_LEN": ("match statement", _WAIT_FIRST),
    "GET_YIELD_FROM_ITER": ("yield from", _ITERATE),
    "IMPORT_": ("import", "wait before or after the import, not while the module's body runs."),
    "LIST_": ("unpacking with *", _ITERATE),
    "LOAD_ATTR": ("attribute .{value}", _ATTRIBUTE),
    "LOAD_METHOD": ("attribute .{value}", _ATTRIBUTE),
    "LOAD_NAME": ("look-up of the name {value}", _WAIT_FIRST),
    "LOAD_SPECIAL": ("with statement", _WITH),
    "LOAD_SUPER": ("attribute .{value}", _ATTRIBUTE),
    "MAP_ADD": ("comprehension of a dict", _WAIT_FIRST),
    "MATCH_": ("match statement", _WAIT_FIRST),
    "RAISE_VARARGS": ("raise statement", "make the exception before, in an ordinary function that waits."),
    "SEND": ("await or yield from", "make the iterator a coroutine or a generator: __next__() runs inside C."),
    "SET_ADD": ("comprehension of a set", _WAIT_FIRST),
    "SET_UPDATE": ("unpacking with *", _ITERATE),
    "STORE_ATTR": ("attribute .{value}", _ATTRIBUTE),
    "STORE_NAME": ("assignment to the name {value}", _WAIT_FIRST),
    "STORE_SLICE": ("operator [:]=", _METHOD),
    "STORE_SUBSCR": ("operator []=", _METHOD),
    "UNARY_INVERT": ("operator ~", _METHOD),
    "UNARY_NEGATIVE": ("operator -", _METHOD),
    "UNARY_POSITIVE": ("operator +", _METHOD),
    "UNPACK_": ("unpacking", _ITERATE),
    "WITH_EXCEPT_START": ("with statement (leaving it with an exception)", _WITH),
}
"""Names of instructions, or what they begin with, and what each does in the words of the language."""

_TRUTH = ("truth test", _METHOD)


def describe(frame: FrameType, entered: CodeType | None) -> Action:
    """Name what `frame` is doing through C; `entered` is the Python function that it ran from there, if known."""
    interruption = _interruption(frame, entered)
    if interruption is not None:
        return interruption
    instructions = list(dis.get_instructions(frame.f_code))
    index = _current(instructions, frame.f_lasti)
    if index is None:
        return _nameless(entered)
    instruction = instructions[index]
    if instruction.opname in _CALLS:
        return _call(frame, instructions, index, entered)
    wording = _wording(instruction)
    if wording is None:
        return _nameless(entered)
    name = wording[0].format(repr=instruction.argrepr, value=instruction.argval)
    return _with_article(name, wording[1].format(entered=_shown(entered)))


def _wording(instruction: dis.Instruction) -> tuple[str, str] | None:
    name = instruction.opname
    if name in ("TO_BOOL", "UNARY_NOT") or "JUMP_IF_" in name or "_IF_TRUE" in name or "_IF_FALSE" in name:
        return _TRUTH
    return _ACTIONS.get(name) or next((_ACTIONS[key] for key in _ACTIONS if name.startswith(key)), None)


def _current(instructions: list[dis.Instruction], lasti: int) -> int | None:
    """Index of the instruction at byte offset `lasti`, which may lie in the cache that follows it."""
    started = [index for index, instruction in enumerate(instructions) if instruction.offset <= lasti]
    return started[-1] if started else None


def _nameless(entered: CodeType | None) -> Action:
    advice = "wait outside of what calls {entered}, or call that from Python code."
    return Action("a C function", "a C function", advice.format(entered=_shown(entered)))


def _shown(entered: CodeType | None) -> str:
    """The function for an advice: without the names of the functions that it was defined in."""
    if entered is None or entered.co_name.startswith("<"):
        return "the special method"
    return entered.co_qualname.rpartition("<locals>.")[2] + "()"


# What the interpreter calls between two instructions.


def _interruption(frame: FrameType, entered: CodeType | None) -> Action | None:
    """The finalizer, signal handler or tracing function that `entered` is."""
    if entered is None:
        return None
    if entered.co_name == "__del__":
        advice = "close the object by a method that you call: Python runs a finalizer at any time."
        return _with_article(f"finalizer {entered.co_qualname}()", advice)
    if any(getattr(function, "__code__", None) is entered for function in _tracers(frame)):
        return _with_article(f"tracing function {entered.co_qualname}()", "record what is traced, and wait elsewhere.")
    if any(getattr(function, "__code__", None) is entered for function in _signal_handlers()):
        advice = "let the event loop handle the signal, for example with asyncio's loop.add_signal_handler()."
        return _with_article(f"signal handler {entered.co_qualname}()", advice)
    return None


def _with_article(name: str, advice: str) -> Action:
    return Action(name, f"the {name}", advice)


def _tracers(frame: FrameType) -> list[object]:
    return [sys.gettrace(), sys.getprofile(), frame.f_trace]


def _signal_handlers() -> list[object]:
    signal = sys.modules.get("signal")
    return [] if signal is None else [signal.getsignal(number) for number in signal.valid_signals()]


# Calls: who is called?

_CALLS = frozenset({"CALL", "CALL_FUNCTION_EX", "CALL_KW", "PRECALL"})
_UNKNOWN: Any = object()


class _Callee(NamedTuple):
    """An expression on the stack: its text if it can be named, its value if that is known without running code."""

    text: str | None
    value: Any = _UNKNOWN


def _call(frame: FrameType, instructions: list[dis.Instruction], index: int, entered: CodeType | None) -> Action:
    callee = _called(frame, instructions, index)
    special = entered.co_name if entered is not None else ""
    if callee.text == "__build_class__":
        return Action("class statement", "the class statement", "wait before the class statement, not in its body.")
    if special in ("__enter__", "__exit__") and not (callee.text or "").endswith(special):
        return _with_article("with statement", _WITH.format(entered=_shown(entered)))
    if callee.text is None:
        return _nameless(entered)
    name = f"{callee.text}()"
    if special in ("__init__", "__new__"):
        advice = f"wait in an ordinary function that makes the object, not in {_shown(entered)}."
        return Action(name, f"the class {callee.text}", advice)
    if special == "__call__":
        advice = f"call {_shown(entered)} by its name, or an ordinary function."
        return Action(name, f"the call of the object {callee.text}", advice)
    unknown = callee.value is _UNKNOWN or isinstance(callee.value, (FunctionType, MethodType))
    if unknown and instructions[index].opname == "CALL_FUNCTION_EX":
        advice = "pass the arguments one by one: with * or ** CPython may make the call through C."
        return Action(name, f"the call {callee.text}(*...)", advice)
    advice = f"do in Python code what {name} does (a loop, a comprehension), or wait first and hand it the results."
    if isinstance(callee.value, type):
        return Action(name, f"the class {callee.text}", advice)
    builtin = isinstance(callee.value, (BuiltinFunctionType, BuiltinMethodType))
    return Action(name, f"the built-in function {name}" if builtin else f"the C function {name}", advice)


def _called(frame: FrameType, instructions: list[dis.Instruction], index: int) -> _Callee:
    """The callable of the call at `index`: below the arguments are, in either order, it and self or NULL."""
    depth = entries_above_callee(instructions[index])
    upper, lower = producer(instructions, index, depth), producer(instructions, index, depth + 1)
    if lower is None or upper is None:
        return _Callee(None)
    pushed = instructions[lower[0]]
    null_first = pushed.opname == "PUSH_NULL" or (pushes_null(pushed) and upper[0] != lower[0])
    return _expression(frame, instructions, index, depth if null_first else depth + 1)


def _expression(frame: FrameType, instructions: list[dis.Instruction], index: int, depth: int) -> _Callee:
    """The stack entry `depth` below the top before the instruction at `index`."""
    found = producer(instructions, index, depth)
    if found is None:
        return _Callee(None)
    at, nth = found
    instruction = instructions[at]
    value = instruction.argval
    if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
        return _Callee(value, _look_up(frame, value))
    if instruction.opname == "LOAD_BUILD_CLASS":
        return _Callee("__build_class__")
    if instruction.opname.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE", "STORE_FAST_LOAD_FAST")):
        return _Callee(value[nth] if isinstance(value, tuple) else value)
    if instruction.opname == "LOAD_CONST":
        return _Callee(type(value).__name__, type(value))
    if instruction.opname.startswith("LOAD_SUPER"):
        return _Callee(f"super().{value}")
    if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
        owner = _expression(frame, instructions, at, 0)
        return _Callee(f"{owner.text or '(...)'}.{value}", _attribute(owner.value, value))
    if instruction.opname in _CALLS:
        return _Callee(f"{_called(frame, instructions, at).text or '(...)'}()")
    return _Callee(None)


def _look_up(frame: FrameType, name: str) -> Any:
    return frame.f_globals.get(name, frame.f_builtins.get(name, _UNKNOWN))


def _attribute(owner: Any, name: str) -> Any:
    """An attribute of a module or class, without running a descriptor or a ``__getattr__``."""
    if isinstance(owner, ModuleType):
        return vars(owner).get(name, _UNKNOWN)
    if isinstance(owner, type):
        return next((vars(base)[name] for base in owner.__mro__ if name in vars(base)), _UNKNOWN)
    return _UNKNOWN
