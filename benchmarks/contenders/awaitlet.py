"""Plain functions in a greenlet that awaitlet makes for each chain; the innermost switches back to the coroutine."""

from awaitlet import async_def, awaitlet

from benchmarks.shapes import entered

HOSTS = entered(awaitlet, async_def)
