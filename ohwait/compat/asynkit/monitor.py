"""asynkit.monitor: `ohwait.monitor` under asynkit's name."""

from ...monitor import BoundMonitor, GeneratorObject, GeneratorObjectIterator, Monitor, OOBData

__all__ = ["BoundMonitor", "GeneratorObject", "GeneratorObjectIterator", "Monitor", "OOBData"]
