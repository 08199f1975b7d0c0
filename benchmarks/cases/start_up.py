"""How long does it take to start Python and to import what one waits with?

Five processes one after the other, each of which imports it and ends; their processor time. Native await imports
nothing.
"""

import resource
import subprocess
import sys

from benchmarks.contenders import CONTENDERS as ALL
from benchmarks.contenders import Contender, contender

TITLE = "start-up"
AXIS = ""
POINTS = ("import",)
QUICK = POINTS
CONTENDERS = tuple(each.name for each in ALL if each.name not in ("greenback_call", "floor"))
UNITS = ("second of a process",)
PROCESSES = 5


def subject(name: str) -> Contender:
    """What `gauge` is given: the contender's line of the list, as nothing of it is to be imported here."""
    return contender(name)


def gauge(which: Contender, point: str) -> dict[str, float]:
    """Seconds of processor time of a process."""
    command = [sys.executable, "-I", "-c", f"import {which.module or 'sys'}"]
    subprocess.run(command, check=True)  # Compiles what is not yet.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(PROCESSES):
        subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"second of a process": spent / PROCESSES}
