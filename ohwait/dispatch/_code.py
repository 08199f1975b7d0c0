"""Code of an async function in which every ``await x`` awaits ``hook[x]``.

`await` calls ``type(x).__await__`` before anything is yielded, so an object that has another way to be awaited must be
seen earlier. The code is not compiled anew and nothing in it moves: the instructions that begin an `await` become a
jump to the end of the code, where a tail looks up ``hook[x]``, does what they did, and jumps back. No source is
needed, and closures, defaults and everything else stay the function's own.

Read with: `dis` of the running interpreter, Objects/locations.md and InternalDocs/exception_handling.md of CPython.
"""

from __future__ import annotations

import dis
import itertools
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from ._errors import DispatchError

__all__ = ["with_hook"]

_OP = dis.opmap
_UNIT = 2
_NEEDS = ("GET_AWAITABLE", "SEND", "JUMP_FORWARD", "JUMP_BACKWARD_NO_INTERRUPT", "LOAD_CONST", "SWAP", "NOP")
_TAKES_PART = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
"""Nested code that is part of its function: comprehensions, where they are not compiled into it."""

_LONG_FORM = 14
_NO_COLUMNS = 13
_NO_LOCATION = 15
_MOST_UNITS = 8
"""Entries of the location table: kinds, and how many code units one of them covers at most."""


def with_hook(function: FunctionType, hook: object) -> FunctionType:
    """A copy of an async function that awaits ``hook[x]`` wherever the original awaits ``x``.

    Raises:
        DispatchError: its code is too long for one jump (64 Ki instructions).
    """
    code = _hooked(function.__code__, hook)
    copy = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    copy.__module__ = function.__module__
    return copy


def _hooked(code: CodeType, hook: object) -> CodeType:
    constants = [
        _hooked(value, hook) if isinstance(value, CodeType) and value.co_name in _TAKES_PART else value
        for value in code.co_consts
    ]
    awaits = list(_awaits(code))
    if not awaits or any(name not in _OP for name in _NEEDS):
        return code.replace(co_consts=tuple(constants))
    raw = bytearray(code.co_code)
    tails: list[tuple[int, int, int]] = []
    look_up = [*_instruction("LOAD_CONST", len(constants)), *_instruction("SWAP", 2), *_subscript()]
    for start, end in awaits:
        tail = len(raw)
        raw += bytes([*look_up, *raw[start:end]])
        raw += bytes(_jump_back(len(raw), end))
        raw[start:end] = _jump_forward(code, start, end, tail)
        tails.append((start, tail, len(raw)))
    return code.replace(
        co_code=bytes(raw),
        co_consts=(*constants, hook),
        co_stacksize=code.co_stacksize + 2,
        co_linetable=code.co_linetable + _locations(code, tails),
        co_exceptiontable=code.co_exceptiontable + _handlers(code, tails),
    )


def _awaits(code: CodeType) -> Iterator[tuple[int, int]]:
    """Where an ``await`` begins, and where its SEND stands; not those of `async with` and `async for`."""
    start = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "GET_AWAITABLE" and not instruction.arg:
            start = instruction.offset
        elif start is not None and instruction.opname == "SEND":
            yield start, instruction.offset
            start = None


def _instruction(name: str, argument: int) -> list[int]:
    """The instruction as bytes, with as many EXTENDED_ARG as it takes."""
    units = []
    shift = 0
    while argument >> shift or not shift:
        units.append((argument >> shift) & 0xFF)
        shift += 8
    *higher, lowest = reversed(units)
    return [*(byte for unit in higher for byte in (_OP["EXTENDED_ARG"], unit)), _OP[name], lowest]


def _subscript() -> bytes:
    """The instruction of ``a[b]`` and its caches, as this interpreter compiles them."""
    code = compile("a[b]", "", "eval")
    offsets = [(instruction.opname, instruction.offset) for instruction in dis.get_instructions(code)]
    for (name, start), (_, end) in itertools.pairwise(offsets):
        if name.startswith("BINARY_"):
            return code.co_code[start:end]
    raise DispatchError("this interpreter compiles a[b] in an unknown way")


def _jump_forward(code: CodeType, start: int, end: int, tail: int) -> list[int]:
    distance = (tail - start - 2 * _UNIT) // _UNIT
    if end - start < 2 * _UNIT or distance > 0xFFFF:
        raise DispatchError(
            f"{code.co_qualname}() in {code.co_filename}, line {code.co_firstlineno}, is too long for use_awaiter: "
            "divide it into several functions"
        )
    jump = _instruction("JUMP_FORWARD", distance)
    padding = [_OP["NOP"], 0]
    return padding * (2 - len(jump) // _UNIT) + jump + padding * ((end - start) // _UNIT - 2)


def _jump_back(here: int, target: int) -> list[int]:
    """A jump that stands at `here`; its distance counts from the instruction after it, which depends on its length."""
    length = _UNIT
    while True:
        jump = _instruction("JUMP_BACKWARD_NO_INTERRUPT", (here + length - target) // _UNIT)
        if len(jump) == length:
            return jump
        length = len(jump)


def _handlers(code: CodeType, tails: list[tuple[int, int, int]]) -> bytes:
    """Entries of the exception table: each tail is covered by what covers its await."""
    covered = list(_read_handlers(code.co_exceptiontable))
    table = bytearray()
    for start, tail, end in tails:
        for first, length, target, depth in covered:
            if first <= start // _UNIT < first + length:
                entry = tail // _UNIT, (end - tail) // _UNIT, target, depth
                table += b"".join(_big_endian(value, 0x80 if number == 0 else 0) for number, value in enumerate(entry))
                break
    return bytes(table)


def _read_handlers(table: bytes) -> Iterator[tuple[int, int, int, int]]:
    values: list[int] = []
    value = 0
    for byte in table:
        value = value << 6 | byte & 0x3F
        if not byte & 0x40:
            values.append(value)
            value = 0
    for first in range(0, len(values), 4):
        start, length, target, depth = values[first : first + 4]
        yield start, length, target, depth


def _big_endian(value: int, mark: int) -> bytes:
    groups = [value & 0x3F]
    while value := value >> 6:
        groups.append(value & 0x3F | 0x40)
    groups.reverse()
    groups[0] |= mark
    return bytes(groups)


def _locations(code: CodeType, tails: list[tuple[int, int, int]]) -> bytes:
    """Entries of the location table: each tail stands where its await does."""
    positions = list(code.co_positions())
    line = _last_line(code)
    table = bytearray()
    for start, tail, end in tails:
        where = positions[start // _UNIT]
        for first in range(tail // _UNIT, end // _UNIT, _MOST_UNITS):
            units = min(_MOST_UNITS, end // _UNIT - first)
            table += _location(where, units, line)
            line = where[0] if where[0] is not None else line
    return bytes(table)


def _location(where: tuple[Any, Any, Any, Any], units: int, previous: int) -> bytes:
    line, end_line, column, end_column = where
    if line is None:
        return bytes([0x80 | _NO_LOCATION << 3 | units - 1])
    delta = _little_endian((line - previous) << 1 if line >= previous else (previous - line) << 1 | 1)
    if end_line is None or column is None or end_column is None:
        return bytes([0x80 | _NO_COLUMNS << 3 | units - 1]) + delta
    rest = (end_line - line, column + 1, end_column + 1)
    return bytes([0x80 | _LONG_FORM << 3 | units - 1]) + delta + b"".join(map(_little_endian, rest))


def _little_endian(value: int) -> bytes:
    groups = []
    while value > 0x3F:
        groups.append(value & 0x3F | 0x40)
        value >>= 6
    return bytes([*groups, value])


def _last_line(code: CodeType) -> int:
    """The line from which an entry at the end of the location table counts."""
    line = code.co_firstlineno
    table = iter(code.co_linetable)
    for head in table:
        kind = head >> 3 & 0xF
        if kind in (_NO_COLUMNS, _LONG_FORM):
            signed = _read_little_endian(table)
            line += -(signed >> 1) if signed & 1 else signed >> 1
            for _ in range(3 if kind == _LONG_FORM else 0):
                _read_little_endian(table)
        elif 10 <= kind <= 12:
            line += kind - 10
            next(table), next(table)
        elif kind < 10:
            next(table)
    return line


def _read_little_endian(table: Iterator[int]) -> int:
    value = shift = 0
    while True:
        byte = next(table)
        value |= (byte & 0x3F) << shift
        shift += 6
        if not byte & 0x40:
            return value
