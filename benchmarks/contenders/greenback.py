"""Plain functions in a task that has got a portal once; `greenback.await_` leaves through it."""

from greenback import await_, ensure_portal

from benchmarks.shapes import prepared

HOSTS = prepared(await_, ensure_portal)
