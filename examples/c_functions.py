"""Waiting inside functions that C functions call: sorted(), json, sqlite3, functools, __init__, operators, imports.

python examples/c_functions.py
"""

from __future__ import annotations

import asyncio
import functools
import json
import sqlite3
from contextlib import closing

import ohwait

PRICES = {"apple": 3, "pear": 2, "plum": 5}


async def fetch_price(fruit: str) -> int:
    """What some server would tell."""
    await asyncio.sleep(0.01)
    return PRICES[fruit]


@functools.cache
def price(fruit: str) -> int:
    """Fetched once; `functools.cache` is written in C and knows nothing of async."""
    return ohwait.ohwait(fetch_price(fruit))


class Basket:
    """Knows its total from the start; baskets compare by it, and appear in JSON as the server sees them."""

    def __init__(self, *fruits: str) -> None:
        self.fruits = fruits
        self.total = sum(map(price, fruits))

    def __lt__(self, other: Basket) -> bool:
        ohwait.sleep(0.001)
        return self.total < other.total

    @property
    def cheapest(self) -> str:
        return min(self.fruits, key=price)


def plain() -> None:
    print("sorted:  ", sorted(PRICES, key=price))
    baskets = [Basket("apple", "plum"), Basket("pear", "pear"), Basket("apple")]
    print("by <:    ", [basket.total for basket in sorted(baskets)])
    print("property:", baskets[0].cheapest)
    print("json:    ", json.dumps(baskets, default=lambda basket: {"total": sum(map(price, basket.fruits))}))
    with closing(sqlite3.connect(":memory:")) as base:
        base.create_function("price", 1, lambda fruit: ohwait.ohwait(fetch_price(fruit)))
        base.execute("create table fruits (name text)")
        base.executemany("insert into fruits values (?)", ([fruit] for fruit in PRICES))
        print("sqlite3: ", base.execute("select name, price(name) from fruits order by 2").fetchall())


async def main() -> None:
    ticks = 0

    async def ticking() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    other = asyncio.create_task(ticking())
    plain()
    other.cancel()
    assert ticks > 5, "the event loop stood still"
    counts = ohwait.stats()
    print(f"suspended {counts.suspensions_by_frames} times by frames, {counts.suspensions_by_stack} through C functions")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ohwait.CFunctionError as error:
        print(f"not here: {error}")
