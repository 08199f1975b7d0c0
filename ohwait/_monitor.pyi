"""csrc/modules/monitor: what ohwait/monitor.py makes its public classes of."""

from collections.abc import Callable
from typing import Any, final

class Channel: ...
class MonitorBase(Channel): ...
class GeneratorBase(Channel): ...

class OOBData(Exception):
    """Raised by awaiting a Monitor: the coroutine has sent `data` and waits. Await the monitor again to go on."""

    data: Any
    def __init__(self, data: object = None) -> None: ...

@final
class GeneratorObjectIterator: ...

def configure(*, refusal: Callable[[str, object], BaseException]) -> None:
    """Set what makes the module's errors: refusal(kind, channel), channel a Monitor or a GeneratorObject."""
