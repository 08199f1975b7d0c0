"""The interpreter ends with chains suspended: the same output and exit status as natively, never a crash."""

from __future__ import annotations

import textwrap

import pytest
from core_tools import python

pytestmark = pytest.mark.unrepeatable("each case is two processes of their own")

BEGINNING = """
import asyncio, atexit, gc, sys, threading, time, types
from ohwait import ohwait

@types.coroutine
def pause():
    yield

class Thing:
    def __del__(self):
        print("thing", flush=True)

async def plain_inner(name):
    thing = Thing()
    try:
        await pause()
    finally:
        print("inner", name, flush=True)

async def plain_outer(name):
    try:
        await plain_inner(name)
    finally:
        print("outer", name, flush=True)

async def host(name):
    try:
        await plain_outer(name)
    finally:
        print("host", name, flush=True)
"""

CASES = {
    "in a global": """
        kept = host(1)
        kept.send(None)
    """,
    "in a cycle": """
        kept = host(1)
        kept.send(None)
        cycle = [kept]
        cycle.append(cycle)
        del kept, cycle
    """,
    "in many globals": """
        all_of_them = [host(n) for n in range(100)]
        for one in all_of_them:
            one.send(None)
    """,
    "closed by atexit": """
        kept = host(1)
        kept.send(None)
        atexit.register(kept.close)
    """,
    "in a module": """
        module = types.ModuleType("other")
        module.kept = host(1)
        module.kept.send(None)
        sys.modules["other"] = module
        del module
    """,
    "after an error": """
        kept = host(1)
        kept.send(None)
        raise SystemExit("an error")
    """,
    "in a thread's variables": """
        def thread():
            kept = host("thread")
            kept.send(None)
            ready.set()
            time.sleep(100)
        ready = threading.Event()
        threading.Thread(target=thread, daemon=True).start()
        ready.wait()
    """,
    "started by one thread, dropped by the end": """
        kept = []
        def thread():
            kept.append(host("thread"))
            kept[0].send(None)
        thread = threading.Thread(target=thread)
        thread.start()
        thread.join()
    """,
    "in a task of a loop that was stopped": """
        async def main():
            task = asyncio.ensure_future(waits())
            await asyncio.sleep(0)
            return task
        async def plain_waits():
            try:
                await asyncio.sleep(100)
            finally:
                print("finally", flush=True)
        async def waits():
            await plain_waits()
        loop = asyncio.new_event_loop()
        task = loop.run_until_complete(main())
        task._log_destroy_pending = False
    """,
    "with asyncio.run cancelling it": """
        async def plain_waits():
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                print("cancelled", flush=True)
                raise
        async def waits():
            await plain_waits()
        async def main():
            task = asyncio.ensure_future(waits())
            await asyncio.sleep(0)
            main.task = task
        asyncio.run(main())
    """,
    "with an async generator": """
        async def plain_wait():
            try:
                await pause()
            finally:
                print("finally", flush=True)
        async def generator():
            await plain_wait()
            yield 1
        kept = generator()
        step = kept.asend(None)
        step.send(None)
    """,
    "by os._exit": """
        import os
        kept = host(1)
        kept.send(None)
        os._exit(3)
    """,
}


def output(source: str, plainly: bool) -> tuple[int, list[str], list[str]]:
    transform = (
        "import ast, sys; from core_tools import _Plainly; source = sys.argv[1]; tree = ast.parse(source);"
        f"tree = _Plainly(None).visit(tree) if {plainly} else tree; exec(compile(tree, 'script', 'exec'))"
    )
    done = python("-c", transform, source)
    errors = [line.split("0x")[0] for line in done.stderr.splitlines()]
    return done.returncode, sorted(done.stdout.splitlines()), errors


@pytest.mark.parametrize("case", CASES)
def test_suspended_at_the_end(case: str) -> None:
    source = BEGINNING + textwrap.dedent(CASES[case])
    native, plain = output(source, False), output(source, True)
    assert plain[0] == native[0], plain[2]
    assert plain[1] == native[1]
    assert plain[2] == native[2]
