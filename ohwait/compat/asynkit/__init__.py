"""asynkit 0.20's documented names on top of ohwait: ``from ohwait.compat import asynkit``.

The names, their arguments and what they do are those that asynkit by Kristján Valur Jónsson documents; the work is
done by `ohwait.eager`, `ohwait.monitor`, `ohwait.scheduling` and the modules here. Plain functions that wait with
``ohwait`` take part everywhere.
"""

# ruff: noqa: F403

from . import coroutine as _coroutine
from . import monitor as _monitor
from . import scheduling as _scheduling
from .coroutine import *
from .loop import eventloop as _eventloop
from .loop.eventloop import *
from .monitor import *
from .scheduling import *
from .tools import cancelling

__all__ = [
    *_coroutine.__all__,
    *_eventloop.__all__,
    *_monitor.__all__,
    *_scheduling.__all__,
    "cancelling",
]
