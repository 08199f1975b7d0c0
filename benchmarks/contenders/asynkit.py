"""Plain functions whose innermost one runs a coroutine that never suspends by `asynkit.await_sync`."""

from asynkit import await_sync

from benchmarks.shapes import direct

HOSTS = direct(await_sync)
