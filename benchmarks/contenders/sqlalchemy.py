"""Plain functions in a greenlet that SQLAlchemy makes for each chain, as its asyncio extension does."""

from sqlalchemy.util import concurrency, greenlet_spawn

from benchmarks.shapes import entered

# Up to 2.0 it has another name.
HOSTS = entered(getattr(concurrency, "await_", None) or concurrency.await_only, greenlet_spawn)
