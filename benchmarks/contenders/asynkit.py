"""Plain functions whose innermost one runs a coroutine that never suspends by `asynkit.await_sync`."""

from typing import Any

import asynkit

from benchmarks.shapes import direct

await_sync: Any = asynkit.await_sync
HOSTS = direct(await_sync)
