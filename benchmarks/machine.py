"""The machine that was measured on, and the process that pins workers to one of its processors."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def processor() -> str:
    """The processor's name, or its architecture where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def affinity() -> int | None:
    """The processor that workers are pinned to, or None where a process cannot be pinned.

    The last one: interrupts and this command's own display tend to the first.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    return max(os.sched_getaffinity(0))


def describe() -> dict[str, Any]:
    """What a reader needs to know to judge the figures."""
    return {
        "processor": processor(),
        "processors": os.cpu_count(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
    }


def load() -> float | None:
    """How many processes are waiting for a processor, averaged over the last minute; None where not known."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def revision(tree: Path) -> str:
    """The commit of the source tree, marked where files differ from it; "unknown" without git."""
    command = ["git", "-C", str(tree), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
