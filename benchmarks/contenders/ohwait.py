"""Plain functions below a coroutine; the innermost calls `ohwait`."""

from benchmarks.shapes import direct
from ohwait import ohwait

HOSTS = direct(ohwait)
