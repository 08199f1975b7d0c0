"""Waiting inside special methods: operators, comparisons, containers, attributes, formatting."""

from __future__ import annotations

import math
import operator
from typing import Any

import pytest
from cframes_tools import Scenario, Scenarios, Wait, every_way, makes_classes, needs_c_frames

pytestmark = [needs_c_frames, makes_classes]
scenarios = Scenarios()

BINARY = ["add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift"]
BINARY += ["and", "or", "xor"]
COMPARISONS = ["lt", "le", "eq", "ne", "gt", "ge"]


def answering(wait: Wait, names: list[str], **attributes: Any) -> Any:
    """An object whose special methods of these names wait and return the name."""

    def method(name: str) -> Any:
        return lambda self, *args: wait(name)

    return type("Answering", (), {f"__{name}__": method(name) for name in names} | attributes)()


@scenarios()
def binary_operators(wait: Wait) -> Any:
    x = answering(wait, BINARY)
    return [x + 1, x - 1, x * 1, x @ 1, x / 1, x // 1, x % 1, divmod(x, 1), x**1, x << 1, x >> 1, x & 1, x | 1, x ^ 1]


@scenarios()
def reflected_operators(wait: Wait) -> Any:
    x = answering(wait, [f"r{name}" for name in BINARY])
    return [1 + x, 1 - x, 1 * x, 1 @ x, 1 / x, 1 // x, 1 % x, divmod(1, x), 1**x, 1 << x, 1 >> x, 1 & x, 1 | x, 1 ^ x]


@scenarios()
def operators_that_fall_back(wait: Wait) -> Any:
    def not_implemented(self: object, other: object) -> Any:
        wait(None)
        return NotImplemented

    first = answering(wait, [], __add__=not_implemented, __eq__=not_implemented)
    second = answering(wait, ["radd"])
    return first + second, first == 1, [first] == [second]


@scenarios()
def assignments_with_operators(wait: Wait) -> Any:
    results = []
    for name in BINARY:
        if name != "divmod":
            x = answering(wait, [f"i{name}"])
            results.append(getattr(operator, "i" + name)(x, 1))
    x = answering(wait, ["iadd"])
    x += 1
    y = answering(wait, ["add"])
    y += 1
    return results, x, y


@scenarios()
def unary_operators_and_conversions(wait: Wait) -> Any:
    def number(value: object) -> Any:
        return lambda self, *args: wait(value)

    x = answering(wait, ["neg", "pos", "invert", "abs", "round", "trunc", "floor", "ceil"])
    y = answering(
        wait, [], __int__=number(3), __float__=number(1.5), __complex__=number(2j), __index__=number(1),
        __bytes__=number(b"b"), __str__=number("s"),
    )  # fmt: skip
    unary = [-x, +x, ~x, abs(x), round(x), round(x, 1), math.trunc(x), math.floor(x), math.ceil(x)]
    return unary, [int(y), float(y), complex(y), "ab"[y], bytes(y), str(y), hex(y), range(5)[y:3], math.sqrt(y)]


@scenarios()
def comparisons(wait: Wait) -> Any:
    x = answering(wait, COMPARISONS)
    return [x < 1, x <= 1, x == 1, x != 1, x > 1, x >= 1, 1 < x, 1 == x, x < 1 < x, (1, x) < (1, 2), [x] == [1]]


@scenarios()
def truth_and_length(wait: Wait) -> Any:
    true, length = answering(wait, [], __bool__=lambda s: wait(True)), answering(wait, [], __len__=lambda s: wait(2))
    results = [not true, bool(true), 1 if true else 0, true and 1, true or 1, any([true]), all([true, length])]
    if length:
        results.append(len(length))
    while not true:
        results.append("never")
    assert true
    return [result for result in results if result is not true] + [list(filter(None, [true, length])) == [true, length]]


class Key:
    """Its hash and its comparison wait."""

    def __init__(self, wait: Wait, number: int) -> None:
        self.wait, self.number = wait, number

    def __hash__(self) -> int:
        return int(self.wait(self.number % 2))

    def __eq__(self, other: object) -> bool:
        return bool(self.wait(isinstance(other, Key) and other.number == self.number))


@scenarios()
def keys_of_dicts(wait: Wait) -> Any:
    one, two, three = (Key(wait, n) for n in (1, 2, 3))
    numbers = {one: 1, two: 2, three: 3}
    found = numbers[Key(wait, 3)], numbers.get(Key(wait, 5)), Key(wait, 1) in numbers
    numbers[Key(wait, 3)] = 4
    del numbers[one]
    numbers.setdefault(Key(wait, 7), 7)
    numbers.update({Key(wait, 2): 22})
    same = numbers == {Key(wait, 2): 22, Key(wait, 3): 4, Key(wait, 7): 7}
    return found, numbers.pop(Key(wait, 2)), list(numbers.values()), {**numbers, three: 5}[three], same


@scenarios()
def elements_of_sets(wait: Wait) -> Any:
    def keys(*numbers: int) -> set[Key]:
        return {Key(wait, n) for n in numbers}

    def numbers(keys: Any) -> list[int]:
        return sorted(key.number for key in keys)

    a, b = keys(1, 2, 3, 3), keys(3, 5)
    a.add(Key(wait, 1))
    a.discard(Key(wait, 9))
    made = [numbers(each) for each in (a | b, a & b, a - b, a ^ b, frozenset(a), a.union(b))]
    return made, a == b, a <= b, a.isdisjoint(b), Key(wait, 5) in b, numbers(list(dict.fromkeys(a)))


@scenarios()
def items(wait: Wait) -> Any:
    log: list[Any] = []

    class Box:
        def __getitem__(self, key: Any) -> Any:
            return wait(str(key))

        def __setitem__(self, key: Any, value: Any) -> None:
            log.append((str(key), wait(value)))

        def __delitem__(self, key: Any) -> None:
            log.append(wait(str(key)))

        def __contains__(self, key: Any) -> bool:
            return bool(wait(key == 1))

    box = Box()
    box[1] = 2
    box[1:2] = 3
    box["x"] += "y"
    del box[3], box[4:5]
    return [box[5], box[6:7], box[8, 9], 1 in box, 2 not in box, operator.getitem(box, 1)], log


@scenarios()
def sequences_by_getitem(wait: Wait) -> Any:
    class Numbers:
        def __getitem__(self, index: int) -> Any:
            if index > 2:
                raise IndexError
            return wait(index)

        def __len__(self) -> int:
            return int(wait(3))

    numbers = Numbers()
    return list(numbers), [n for n in numbers], 2 in numbers, list(reversed(numbers)), numbers[1]


class Steps:
    """An iterator whose every method waits."""

    def __init__(self, wait: Wait, stop: int = 3) -> None:
        self.wait, self.stop, self.at = wait, stop, 0

    def __iter__(self) -> Steps:
        return self.wait(self)

    def __next__(self) -> Any:
        self.at += 1
        if self.wait(self.at) > self.stop:
            raise StopIteration
        return self.wait(self.at)

    def __length_hint__(self) -> int:
        return int(self.wait(self.stop))

    def __reversed__(self) -> Any:
        return self.wait([3, 2, 1])


@scenarios()
def iterators(wait: Wait) -> Any:
    looped = []
    for n in Steps(wait):
        looped.append(wait(n))
    a, b, c = Steps(wait)
    first, *rest = Steps(wait)
    return looped, list(Steps(wait)), tuple(Steps(wait)), sum(Steps(wait)), [a, b, c, first, rest], reversed(Steps(wait))


@scenarios()
def iterators_in_comprehensions_and_yield_from(wait: Wait) -> Any:
    def delegating() -> Any:
        yield from Steps(wait)
        yield from [wait(n) for n in Steps(wait)]

    return [n for n in Steps(wait)], {n: n for n in Steps(wait)}, list(n for n in Steps(wait)), list(delegating())


@scenarios()
def formatting(wait: Wait) -> Any:
    class Shown:
        def __format__(self, spec: str) -> str:
            return str(wait(f"<{spec}>"))

        def __str__(self) -> str:
            return str(wait("str"))

        def __repr__(self) -> str:
            return str(wait("repr"))

        def __getattr__(self, name: str) -> Any:
            return wait(name)

        def __getitem__(self, key: object) -> Any:
            return wait(key)

    x = Shown()
    texts = [f"{x}", f"{x:>5}", f"{x!r}{x!s}{x!a}", "{} {:a}".format(x, x), "%s %r" % (x, x), format(x, "z"), str(x)]
    return texts, "{0.name} {0[key]}".format(x), "{a}".format_map({"a": x}), repr([x, (x,), {"k": x}, {1: [x]}])


@scenarios()
def matching(wait: Wait) -> Any:
    class Point:
        __match_args__ = ("x",)

        def __init__(self, x: int) -> None:
            self._x = x

        @property
        def x(self) -> Any:
            return wait(self._x)

        def __eq__(self, other: object) -> bool:
            return bool(wait(False))

    def which(value: object) -> Any:
        match value:
            case 1:
                return "one"
            case Point(1):
                return "point at one"
            case Point(x=x) if wait(x > 2):
                return "far"
            case _:
                return "other"

    return [which(Point(n)) for n in (1, 2, 3)]


@scenarios()
def attributes_of_every_kind(wait: Wait) -> Any:
    log: list[Any] = []

    class Object:
        def __getattribute__(self, name: str) -> Any:
            return wait(object.__getattribute__(self, name))

        def __getattr__(self, name: str) -> Any:
            return wait(f"missing {name}")

        def __setattr__(self, name: str, value: Any) -> None:
            log.append((wait(name), value))
            object.__setattr__(self, name, value)

        def __delattr__(self, name: str) -> None:
            log.append(wait(name))
            object.__delattr__(self, name)

        def __dir__(self) -> list[str]:
            return list(wait(["b", "a"]))

    thing = Object()
    thing.a = 1
    thing.a += 1
    setattr(thing, "b", 3)
    read = thing.a, thing.b, thing.c, getattr(thing, "d"), hasattr(thing, "e")
    del thing.a
    delattr(thing, "b")
    return read, log, dir(thing)


@scenarios()
def descriptors(wait: Wait) -> Any:
    log: list[Any] = []

    class Data:
        def __get__(self, instance: object, owner: type | None = None) -> Any:
            return self if instance is None and wait(0) else wait(5)

        def __set__(self, instance: object, value: Any) -> None:
            log.append(wait(value))

        def __delete__(self, instance: object) -> None:
            log.append(wait("deleted"))

    class Plain:
        def __get__(self, instance: object, owner: type | None = None) -> Any:
            return wait(6)

    class Object:
        data, plain = Data(), Plain()

    thing = Object()
    thing.data = 1
    del thing.data
    return thing.data, thing.plain, Object.plain, Object.data, super(Object, thing).__init__(), log


@scenarios(inline=True)
def properties(wait: Wait) -> Any:
    class Object:
        @property
        def x(self) -> Any:
            return wait(1)

        @x.setter
        def x(self, value: Any) -> None:
            self.kept = wait(value)

        @x.deleter
        def x(self) -> None:
            del self.kept
            wait(None)

    class Derived(Object):
        @property
        def x(self) -> Any:
            return super().x + wait(1)

    thing = Object()
    thing.x = 5
    kept = thing.kept
    del thing.x
    return [Object().x for _ in range(3)], kept, hasattr(thing, "kept"), Derived().x, list(map(Object.x.fget, [thing]))


@every_way
@pytest.mark.parametrize("scenario", scenarios)
def test_waiting_inside(scenario: Scenario, way: Any, rand: Any) -> None:
    way(scenario, rand)
