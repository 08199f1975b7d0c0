"""Builds rust_async with cargo and pyo3, offline: from the crates that Debian packages.

    python examples/rust_async/build_rust.py [DIRECTORY [REGISTRY]]

The module goes to DIRECTORY (build/ beside this file, if not given). REGISTRY holds the crates' sources:
/usr/share/cargo/registry, where the package librust-pyo3-dev puts them, or what debian_sources.sh unpacks.

One build serves CPython 3.11 to 3.15, release and debug, though pyo3 0.28 knows those up to 3.14: it uses the stable
ABI of 3.11 (pyo3's abi3-py311), for which no interpreter is asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REGISTRY = Path("/usr/share/cargo/registry")


def obstacle(registry: Path = REGISTRY) -> str | None:
    """Why it cannot be built here."""
    if shutil.which("cargo") is None:
        return "there is no cargo (Debian: apt install cargo rustc)"
    if not list(registry.glob("pyo3-0.2*")):
        return f"{registry} has no pyo3 (Debian: apt install librust-pyo3-dev, or debian_sources.sh)"
    return None


def build(directory: Path, registry: Path = REGISTRY) -> Path:
    """Compile, and return the path of the module; CalledProcessError if that fails."""
    # A copy: cargo writes a Cargo.lock, which would tie the example to one release of Debian's.
    for source in [HERE / "Cargo.toml", *(HERE / "src").iterdir()]:
        place(source, directory / "source" / source.relative_to(HERE))
    target = directory / "target"
    command = ["cargo", "build", "--release", "--offline", "--quiet", f"--target-dir={target}"]
    command += ["--config", 'source.crates-io.replace-with="debian"']
    command += ["--config", f'source.debian.directory="{registry.resolve()}"']
    environment = os.environ | {"PYO3_NO_PYTHON": "1"}
    subprocess.run(command, cwd=directory / "source", env=environment, check=True)
    (built,) = [path for path in (target / "release").iterdir() if path.suffix in {".so", ".dylib", ".dll"}]
    module = directory / ("rust_async.pyd" if built.suffix == ".dll" else "rust_async.abi3.so")
    place(built, module)
    return module


def place(source: Path, target: Path) -> None:
    """Copy the file if the other one differs; at once, as somebody may be using the directory."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copy2(source, partial)
    partial.replace(target)


if __name__ == "__main__":
    given = [Path(argument).resolve() for argument in sys.argv[1:]]
    if (reason := obstacle(*given[1:])) is not None:
        sys.exit(f"cannot build: {reason}")
    print(build(*(given or [HERE / "build"])))
