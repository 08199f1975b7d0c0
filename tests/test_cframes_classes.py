"""Waiting while classes and their objects are made, and inside `with` statements."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import enum
import typing
from typing import Any

import pytest
from cframes_tools import Scenario, Scenarios, Wait, every_way, makes_classes, needs_c_frames

pytestmark = [needs_c_frames, makes_classes]
scenarios = Scenarios()


# ---- objects ----


@scenarios(inline=True)
def initialisers(wait: Wait) -> Any:
    class Object:
        def __init__(self, n: int) -> None:
            self.n = wait(n)

    return [Object(n).n for n in range(4)], Object(n=5).n, [each.n for each in map(Object, [6, 7])]


@scenarios()
def initialisers_of_subclasses_of_builtins(wait: Wait) -> Any:
    class Numbers(list[Any]):
        def __init__(self, *items: Any) -> None:
            super().__init__(wait(item) for item in items)

    class Named(dict[str, Any]):
        def __init__(self, **items: Any) -> None:
            super().__init__({key: wait(value) for key, value in items.items()})

    class Trouble(ValueError):
        def __init__(self, text: str) -> None:
            super().__init__(wait(text))

    try:
        raise Trouble("text")
    except Trouble as error:
        caught = str(error)
    return Numbers(1, 2), Named(a=1, b=2), caught


@scenarios()
def constructors(wait: Wait) -> Any:
    class Number(int):
        def __new__(cls, n: int) -> Any:
            return super().__new__(cls, wait(n))

        def __init__(self, n: int) -> None:
            self.kept = wait(n)

    class Single:
        instance = None

        def __new__(cls) -> Any:
            if cls.instance is None:
                cls.instance = wait(object.__new__(cls))
            return wait(cls.instance)

    return Number(5) + Number(6).kept, Single() is Single()


@scenarios()
def constructors_that_end_in_an_exception(wait: Wait) -> Any:
    class Object:
        def __init__(self, n: int) -> None:
            if wait(n) > 1:
                raise ValueError(wait(n))

    results: list[Any] = []
    for n in range(4):
        try:
            results.append(type(Object(n)).__name__)
        except ValueError as error:
            results.append((str(error), wait(n)))
    return results


@scenarios()
def objects_that_are_called(wait: Wait) -> Any:
    class Function:
        def __call__(self, n: int, *, add: int = 0) -> Any:
            return wait(n + add)

    function = Function()
    return function(1), function(1, add=2), function(*[3]), list(map(function, [4])), callable(function)


@scenarios()
def generated_initialisers(wait: Wait) -> Any:
    @dataclasses.dataclass
    class Point:
        x: int
        y: int = dataclasses.field(default_factory=lambda: wait(2))

        def __post_init__(self) -> None:
            self.sum = wait(self.x) + self.y

    class Pair(typing.NamedTuple):
        a: int

        def doubled(self) -> Any:
            return wait(2 * self.a)

    return repr(Point(1)), Point(1).sum, repr(dataclasses.replace(Point(1), y=5)), Pair(3).doubled()


@scenarios()
def class_and_static_methods(wait: Wait) -> Any:
    class Object:
        @classmethod
        def make(cls) -> Any:
            return wait(cls.__name__)

        @staticmethod
        def add(a: int, b: int) -> Any:
            return wait(a + b)

        def __class_getitem__(cls, key: object) -> Any:
            return wait(key)

    return Object.make(), Object().make(), Object.add(1, 2), Object["key"], list(map(Object.add, [1], [2]))


# ---- classes ----


@scenarios()
def class_bodies(wait: Wait) -> Any:
    class Object:
        a = wait(1)
        if wait(True):
            b = [wait(n) for n in range(2)]

        class Inner:
            c = wait(3)

        d = wait(a) + Inner.c

    return Object.a, Object.b, Object.Inner.c, Object.d


@scenarios()
def metaclasses(wait: Wait) -> Any:
    class Meta(type):
        @classmethod
        def __prepare__(mcs, name: str, bases: Any, **options: Any) -> Any:
            return {"prepared": wait(name)}

        def __new__(mcs, name: str, bases: Any, namespace: Any, **options: Any) -> Any:
            return super().__new__(mcs, name, bases, namespace | {"made": wait(options)})

        def __init__(cls, name: str, bases: Any, namespace: Any, **options: Any) -> None:
            super().__init__(name, bases, namespace)
            cls.begun = wait("begun")

        def __call__(cls, *args: Any) -> Any:
            made = super().__call__(*args)
            made.called = wait(args)
            return made

        def __getattr__(cls, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return wait(name)

        def __iter__(cls) -> Any:
            yield wait("from the class")

        def __len__(cls) -> int:
            return int(wait(7))

        def mro(cls) -> Any:
            return wait(super().mro())

    class Object(metaclass=Meta, option=wait(1)):
        body = wait("body")

        def __init__(self, n: int) -> None:
            self.n = wait(n)

    thing = Object(4)
    return Object.prepared, Object.made, Object.begun, Object.body, Object.other, list(Object), len(Object), vars(thing)


@scenarios()
def subclasses_that_are_announced(wait: Wait) -> Any:
    log: list[Any] = []

    class Base:
        def __init_subclass__(cls, /, tag: str = "", **options: Any) -> None:
            super().__init_subclass__(**options)
            log.append((cls.__name__, wait(tag)))

    class First(Base, tag="first"):
        pass

    class Second(First):
        x = wait(2)

    type("Third", (Second,), {}, tag="third")
    return log


@scenarios()
def descriptors_that_are_named(wait: Wait) -> Any:
    class Field:
        def __set_name__(self, owner: type, name: str) -> None:
            self.name = wait(name)

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            return wait(self.name)

    class Object:
        a = Field()
        b = Field()

    return Object.a, Object().b


@scenarios()
def bases_that_are_computed(wait: Wait) -> Any:
    class Replaced:
        def __mro_entries__(self, bases: Any) -> Any:
            return (wait(dict),)

    class Object(Replaced()):  # type: ignore[misc]
        pass

    def decorate(cls: type) -> type:
        cls.mark = wait("decorated")  # type: ignore[attr-defined]
        return cls

    @decorate
    class Decorated(wait(Object)):
        pass

    return Object(a=1), Decorated.mark


@scenarios()
def abstract_classes(wait: Wait) -> Any:
    class Sized(abc.ABC):
        @classmethod
        def __subclasshook__(cls, other: type) -> Any:
            return wait(other is list)

        @property
        @abc.abstractmethod
        def size(self) -> int: ...

    class Concrete(Sized):
        @property
        def size(self) -> int:
            return int(wait(3))

    return issubclass(list, Sized), issubclass(dict, Sized), isinstance([], Sized), Concrete().size


@scenarios()
def enumerations(wait: Wait) -> Any:
    class Colour(enum.Enum):
        RED = wait(1)
        BLUE = wait(2)

        def __init__(self, number: int) -> None:
            self.double = wait(2 * number)

        @classmethod
        def _missing_(cls, value: object) -> Any:
            return wait(cls.RED)

    return Colour(2).name, Colour("unknown").name, [each.double for each in Colour]


# ---- with ----


class Manager:
    def __init__(self, wait: Wait, log: list[Any], swallow: bool = False) -> None:
        self.wait, self.log, self.swallow = wait, log, swallow

    def __enter__(self) -> Any:
        return self.wait("entered")

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        self.log.append(self.wait(kind and kind.__name__))
        return self.wait(self.swallow and isinstance(error, ArithmeticError))


@scenarios(inline=True)
def with_statements(wait: Wait) -> Any:
    log: list[Any] = []
    with Manager(wait, log) as entered:
        log.append(wait(entered))
    with Manager(wait, log), Manager(wait, log) as second:
        log.append(second)
    return log


@scenarios()
def with_statements_left_by_exceptions(wait: Wait) -> Any:
    log: list[Any] = []
    with Manager(wait, log, swallow=True):
        log.append(1 / wait(0))
    try:
        with Manager(wait, log), Manager(wait, log):
            raise KeyError(wait("key"))
    except KeyError as error:
        log.append((str(error), wait("after")))
    for n in range(3):
        with Manager(wait, log):
            if wait(n) == 1:
                break
    return log


@scenarios()
def exit_stacks(wait: Wait) -> Any:
    log: list[Any] = []
    with contextlib.ExitStack() as stack:
        log.append(stack.enter_context(Manager(wait, log)))
        stack.enter_context(Manager(wait, log, swallow=True))
        stack.callback(lambda n: log.append(wait(n)), 5)
        stack.push(lambda *error: bool(log.append(wait(error[0] and error[0].__name__))))
        log.append(wait("body"))
        log.append(1 / wait(0))
    with contextlib.closing(map(str, [1])) if wait(False) else contextlib.nullcontext(wait(6)) as six:
        log.append(six)
    return log


@scenarios()
def generator_context_managers(wait: Wait) -> Any:
    log: list[Any] = []

    @contextlib.contextmanager
    def managed(n: int) -> Any:
        log.append(wait(n))
        try:
            yield wait(n + 1)
        except ArithmeticError as error:
            log.append((type(error).__name__, wait("handled")))
        finally:
            log.append(wait("left"))

    with managed(1) as two:
        log.append(wait(two))
    with managed(3):
        log.append(1 / wait(0))

    @managed(5)
    def decorated() -> Any:
        return wait("decorated")

    with contextlib.suppress(ZeroDivisionError):
        log.append(1 / wait(0))
    return log, decorated()


@every_way
@pytest.mark.parametrize("scenario", scenarios)
def test_waiting_inside(scenario: Scenario, way: Any, rand: Any) -> None:
    way(scenario, rand)
