"""Waiting inside functions that built-in functions, itertools, functools and their kind call."""

from __future__ import annotations

import bisect
import collections
import copy
import functools
import heapq
import itertools
import operator
import weakref
from array import array
from typing import Any

import pytest
from cframes_tools import Scenario, Scenarios, Wait, every_way, makes_classes, needs_c_frames

pytestmark = [needs_c_frames, makes_classes]
scenarios = Scenarios()


class Ordered:
    """Compared by a `<` that waits."""

    def __init__(self, wait: Wait, number: int) -> None:
        self.wait, self.number = wait, number

    def __lt__(self, other: Ordered) -> bool:
        return bool(self.wait(self.number < other.number))


# ---- built-in functions ----


@scenarios()
def sorted_by_key(wait: Wait) -> Any:
    return sorted([3, 1, 2], key=lambda n: wait(-n))


@scenarios()
def sorted_by_comparison(wait: Wait) -> Any:
    return [each.number for each in sorted(Ordered(wait, n) for n in (3, 1, 2))]


@scenarios()
def list_sort_in_reverse(wait: Wait) -> Any:
    numbers = [3, 1, 2]
    numbers.sort(key=lambda n: wait(n), reverse=True)
    return numbers


@scenarios()
def min_and_max(wait: Wait) -> Any:
    return min([3, 1, 2], key=wait), max(3, 1, 2, key=wait)


@scenarios()
def map_over_two(wait: Wait) -> Any:
    return list(map(lambda a, b: wait(a) + wait(b), [1, 2], [10, 20]))


@scenarios()
def map_in_a_for_loop(wait: Wait) -> Any:
    result = []
    for n in map(wait, "abc"):
        result.append(wait(n))
    return result


@scenarios()
def filtered(wait: Wait) -> Any:
    return list(filter(lambda n: wait(n % 2), range(4)))


@scenarios()
def maps_of_maps(wait: Wait) -> Any:
    return list(map(wait, map(wait, filter(wait, map(wait, [1, 2])))))


@scenarios()
def iter_until_a_sentinel(wait: Wait) -> Any:
    numbers = iter(range(5))
    return list(iter(lambda: wait(next(numbers)), 3))


def squares(wait: Wait) -> Any:
    for n in range(3):
        yield wait(n) ** 2


@scenarios()
def generators_run_by_c(wait: Wait) -> Any:
    return (
        [list(squares(wait)), tuple(squares(wait)), sum(squares(wait)), set(squares(wait))],
        [dict.fromkeys(squares(wait)), ",".join(str(n) for n in squares(wait)), bytes(squares(wait))],
        [any(squares(wait)), all(squares(wait)), max(squares(wait)), min(squares(wait)), sorted(squares(wait))],
    )


@scenarios()
def zip_and_enumerate(wait: Wait) -> Any:
    return list(zip(squares(wait), enumerate(squares(wait)), strict=True)), dict(zip("abc", squares(wait)))


@scenarios()
def unpacking_a_generator(wait: Wait) -> Any:
    a, *rest = squares(wait)
    numbers = [*squares(wait)]
    numbers[1:2] = squares(wait)
    numbers.extend(squares(wait))
    numbers += squares(wait)
    return a, rest, numbers, (lambda *args: args)(*squares(wait))


@scenarios()
def exec_and_eval(wait: Wait) -> Any:
    scope: dict[str, Any] = {"wait": wait}
    exec("def f(n):\n    return wait(n)\nx = f(1) + wait(2)", scope)
    return scope["x"], eval("wait(3) + f(4)", scope)


@scenarios()
def callable_attribute_lookups(wait: Wait) -> Any:
    class Object:
        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return wait(name)

    thing = Object()
    return getattr(thing, "a"), getattr(thing, "b", None), hasattr(thing, "c"), operator.attrgetter("d", "e")(thing)


@scenarios()
def type_called_with_three_arguments(wait: Wait) -> Any:
    class Named:
        def __set_name__(self, owner: type, name: str) -> None:
            self.name = wait(name)

    made = type("Made", (), {"field": Named()})
    return made.field.name, isinstance(made, type)


@scenarios()
def isinstance_and_issubclass(wait: Wait) -> Any:
    class Meta(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return bool(wait(instance == 1))

        def __subclasscheck__(cls, subclass: type) -> bool:
            return bool(wait(subclass is int))

    class Kind(metaclass=Meta):
        pass

    return isinstance(1, Kind), isinstance(2, (str, Kind)), issubclass(int, Kind), issubclass(str, Kind)


# ---- functools and operator ----


@scenarios()
def partial_calls(wait: Wait) -> Any:
    def plain(a: int, b: int, *, c: int = 0) -> Any:
        return wait(a), wait(b + c)

    inner = functools.partial(plain, 1)
    return inner(2), functools.partial(inner, c=5)(3), functools.partial(inner, 4, c=6)()


@scenarios()
def partialmethod_calls(wait: Wait) -> Any:
    class Counter:
        def add(self, a: int, b: int) -> Any:
            return wait(a + b)

        add_one = functools.partialmethod(add, 1)

    return Counter().add_one(2)


@scenarios()
def lru_cache_calls(wait: Wait) -> Any:
    @functools.lru_cache(maxsize=2)
    def bounded(n: int) -> Any:
        return wait(n), wait(n + 1)

    @functools.cache
    def fibonacci(n: int) -> Any:
        return wait(n) if n < 2 else wait(fibonacci(n - 1) + fibonacci(n - 2))

    return [bounded(n % 3) for n in range(5)], bounded.cache_info(), fibonacci(6), fibonacci.cache_info()


@scenarios()
def reduced(wait: Wait) -> Any:
    return functools.reduce(lambda a, b: wait(a * 10 + b), [1, 2, 3])


@scenarios()
def compared_by_cmp_to_key(wait: Wait) -> Any:
    return sorted([3, 1, 2], key=functools.cmp_to_key(lambda a, b: wait(a - b)))


@scenarios()
def dispatched_by_type(wait: Wait) -> Any:
    @functools.singledispatch
    def kind(value: object) -> Any:
        return wait("object")

    @kind.register
    def _(value: int) -> Any:
        return wait("int"), next(map(wait, "i"))

    class Methods:
        @functools.singledispatchmethod
        def of(self, value: object) -> Any:
            return next(map(wait, ["method"]))

    return kind(1), kind("s"), Methods().of(1), list(map(kind, [1, ""]))


@scenarios()
def cached_properties(wait: Wait) -> Any:
    class Object:
        @functools.cached_property
        def slow(self) -> Any:
            return wait(7)

    thing = Object()
    return thing.slow, thing.slow, vars(thing)


@scenarios()
def methodcaller_and_itemgetter(wait: Wait) -> Any:
    class Object:
        def method(self, n: int) -> Any:
            return wait(n)

        def __getitem__(self, key: object) -> Any:
            return wait(key)

    return operator.methodcaller("method", 3)(Object()), operator.itemgetter(1, "b")(Object())


# ---- itertools and collections ----


@scenarios()
def itertools_that_call(wait: Wait) -> Any:
    return {
        "accumulate": list(itertools.accumulate([1, 2, 3], lambda a, b: wait(a + b))),
        "dropwhile": list(itertools.dropwhile(lambda n: wait(n < 2), range(4))),
        "filterfalse": list(itertools.filterfalse(wait, range(3))),
        "groupby": [(key, list(group)) for key, group in itertools.groupby("aab", wait)],
        "starmap": list(itertools.starmap(lambda a, b: wait(a - b), [(3, 1), (5, 2)])),
        "takewhile": list(itertools.takewhile(lambda n: wait(n < 2), range(4))),
    }


@scenarios()
def itertools_over_generators(wait: Wait) -> Any:
    first, second = itertools.tee(squares(wait))
    return (
        list(itertools.chain(squares(wait), squares(wait))),
        list(itertools.islice(squares(wait), 1, None)),
        list(itertools.zip_longest(squares(wait), "a")),
        list(itertools.product(squares(wait), repeat=2))[:2],
        next(itertools.cycle(squares(wait))),
        list(itertools.chain.from_iterable(map(wait, ["ab", "c"]))),
        (next(first), list(second), list(first)),
    )


@scenarios()
def collections_that_call(wait: Wait) -> Any:
    class Missing(dict[Any, Any]):
        def __missing__(self, key: object) -> Any:
            return wait(key)

    numbers = collections.defaultdict(lambda: wait(5))
    queue = collections.deque(squares(wait), maxlen=2)
    counter = collections.Counter(squares(wait))
    return numbers["a"], numbers["a"], Missing()["k"], list(queue), counter


@scenarios()
def bisected(wait: Wait) -> Any:
    numbers = [Ordered(wait, n) for n in (1, 3, 5)]
    bisect.insort(numbers, Ordered(wait, 4))
    return bisect.bisect([1, 3, 5], 3, key=wait), [each.number for each in numbers]


@scenarios()
def heaps(wait: Wait) -> Any:
    heap = [Ordered(wait, n) for n in (5, 2, 4, 1)]
    heapq.heapify(heap)
    heapq.heappush(heap, Ordered(wait, 3))
    smallest = [heapq.heappop(heap).number for _ in range(3)]
    return smallest, heapq.nlargest(2, [1, 5, 3], key=wait), list(heapq.merge([1, 4], [2, 3], key=wait))


@scenarios()
def arrays(wait: Wait) -> Any:
    numbers = array("i", squares(wait))
    numbers.extend(squares(wait))
    return numbers.tolist(), numbers.count(NumberThatWaits(wait, 4)), numbers.index(NumberThatWaits(wait, 1))


class NumberThatWaits:
    def __init__(self, wait: Wait, number: int) -> None:
        self.wait, self.number = wait, number

    def __eq__(self, other: object) -> bool:
        return bool(self.wait(self.number == other))

    def __index__(self) -> int:
        return int(self.wait(self.number))

    __hash__ = None  # type: ignore[assignment]


@scenarios()
def searching_lists(wait: Wait) -> Any:
    two = NumberThatWaits(wait, 2)
    numbers = [1, 2, 3]
    return numbers.index(two), numbers.count(two), two in numbers, numbers.remove(two), numbers, [1, 2] == [1, two]


@scenarios()
def copies(wait: Wait) -> Any:
    class Copied:
        def __copy__(self) -> Any:
            return wait("shallow")

        def __deepcopy__(self, memo: object) -> Any:
            return wait("deep")

        def __reduce_ex__(self, protocol: object) -> Any:
            return wait("never")

    return copy.copy(Copied()), copy.deepcopy([Copied(), {"a": Copied()}]), list(map(copy.deepcopy, [Copied()]))


@scenarios()
def finalizers(wait: Wait) -> Any:
    log: list[Any] = []

    class Object:
        def __del__(self) -> None:
            log.append(wait("finalized"))

    Object()
    return log


@scenarios()
def callbacks_of_weak_references(wait: Wait) -> Any:
    class Object:
        pass

    log: list[Any] = []
    thing = Object()
    reference = weakref.ref(thing, lambda _: log.append(wait("gone")))
    del thing
    return log, reference()


@scenarios()
def sorted_in_sorted_in_sorted(wait: Wait) -> Any:
    def key(depth: int) -> Any:
        return lambda n: wait(n) if depth == 0 else sorted([n, -n], key=key(depth - 1))

    return sorted([2, 1], key=key(3))


@every_way
@pytest.mark.parametrize("scenario", scenarios)
def test_waiting_inside(scenario: Scenario, way: Any, rand: Any) -> None:
    way(scenario, rand)
