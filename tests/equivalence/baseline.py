"""Unmodified runs. They depend on the interpreter alone, and are kept where OHWAIT_BASELINES names a directory."""

import dataclasses
import hashlib
import importlib.util
import json
import os
import sys
import sysconfig
from pathlib import Path

from .runs import Module, Run, run

DIRECTORY = "OHWAIT_BASELINES"


def baseline(module: Module) -> Run:
    """The outcomes of `module` as it is; from the directory of baselines, if it has them for this interpreter."""
    directory = os.environ.get(DIRECTORY)
    path = Path(directory) / f"{module.name}-{_key(module)}.json" if directory else None
    if path and path.exists():
        return Run(**json.loads(path.read_text(encoding="utf-8")))
    result = run(module, rewritten=False)
    # A test that failed here may have failed by chance, and must not be excused for good.
    if path and not result.trouble and set(result.outcomes.values()) <= {"passed", "expected failure", "skipped"}:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(dataclasses.asdict(result)), encoding="utf-8")
        partial.replace(path)
    return result


def _key(module: Module) -> str:
    spec = importlib.util.find_spec(module.name)
    files = [Path(spec.origin)] if spec and spec.origin else []
    if module.runner == "pytest" and files:
        files = sorted(files[0].parent.rglob("*.py"))
    sources = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    interpreter = (sys.version, sys.base_prefix, sysconfig.get_config_var("Py_DEBUG"))
    return hashlib.sha256(repr((module, interpreter, sources)).encode()).hexdigest()[:16]
