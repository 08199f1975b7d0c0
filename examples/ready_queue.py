"""Finding a race: the same program under every order in which asyncio might have run its tasks.

Two plain functions move money between accounts; each reads a balance, waits for the bank, and writes it. Whether money
is lost depends on who runs when. Instead of hoping for the bad order, the loop's ready queue is rearranged into each
possible one.

        python examples/ready_queue.py
"""

from __future__ import annotations

import asyncio
from itertools import permutations

from ohwait import ohwait
from ohwait.scheduling import scheduling_loop_factory, task_reinsert


def transfer(accounts: dict[str, int], source: str, target: str, amount: int) -> None:
    balance = accounts[source]
    ohwait(asyncio.sleep(0))  # The bank answers; meanwhile others run.
    accounts[source] = balance - amount
    accounts[target] += amount


def audit(accounts: dict[str, int], seen: list[int]) -> None:
    ohwait(asyncio.sleep(0))
    seen.append(sum(accounts.values()))


async def in_this_order(order: tuple[int, ...]) -> tuple[int, list[int]]:
    accounts = {"a": 100, "b": 100, "c": 100}
    seen: list[int] = []

    async def first() -> None:
        transfer(accounts, "a", "b", 10)

    async def second() -> None:
        transfer(accounts, "b", "c", 20)

    async def third() -> None:
        audit(accounts, seen)

    tasks = [asyncio.create_task(function()) for function in (first, second, third)]
    for position, number in enumerate(order):
        task_reinsert(tasks[number], position)
    await asyncio.wait(tasks)
    return sum(accounts.values()), seen


def main() -> list[tuple[tuple[int, ...], int]]:
    results = []
    for order in permutations(range(3)):
        with asyncio.Runner(loop_factory=scheduling_loop_factory) as runner:
            total, seen = runner.run(in_this_order(order))
        print(f"order {order}: {total} in all" + (", money lost!" if total != 300 else ""), f"(audit saw {seen[0]})")
        results.append((order, total))
    return results


if __name__ == "__main__":
    main()
