"""The examples of ohwait.monitor and ohwait.scheduling: those in docs/ and those in examples/."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRINTED = {
    "monitor": ["one\ntwo\nthree\n", "[1, 2, 3]\n"],
    "scheduling": [
        "third\nafter the third\nfirst\nafter the first\na new one\nsecond\n",
        "begins at once\nthen this\naddress\n",
    ],
}


def examples(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / f"docs/{name}.md").read_text(), re.MULTILINE | re.DOTALL)


def test_every_example_is_known() -> None:
    assert {name: len(examples(name)) for name in PRINTED} == {name: len(texts) for name, texts in PRINTED.items()}


@pytest.mark.parametrize(("name", "number"), [(name, n) for name, texts in PRINTED.items() for n in range(len(texts))])
def test_documentation(name: str, number: int, tmp_path: Path) -> None:
    source = examples(name)[number]
    if "anyio" in source:
        pytest.importorskip("anyio", reason="the example uses anyio, which is not installed")
    script = tmp_path / "example.py"
    script.write_text(source)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (PRINTED[name][number], "")


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"examples/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("piece", [1, 7, 64, 100_000])
def test_parsers_of_the_standard_library_suspend_themselves(piece: int) -> None:
    found = asyncio.run(example("pull_parser").main(piece))
    assert found[0] == (200, "text/html")
    tags = [item for item in found[1:] if isinstance(item, tuple)]
    assert tags == [("html", {}), ("h1", {}), ("ul", {}), *(("li", {"id": f"n{n}"}) for n in range(5))]
    text = "".join(item for item in found if isinstance(item, str))
    assert text == "Pull" + "".join(f"item {n}" for n in range(5))


@pytest.mark.parametrize("pieces", [3, 10])
def test_a_pull_parser_is_left_early(pieces: int) -> None:
    """A generator that is closed ends the parsers where they are, and the file is closed."""
    module = example("pull_parser")

    async def main() -> list[Any]:
        reader = asyncio.StreamReader()
        reader.feed_data(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n<p>ab<br>")
        items: Any = module.parsed(reader, pieces)
        found = [await items.__anext__(), await items.__anext__()]
        task = asyncio.ensure_future(_exhaust(items))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await items.aclose()
        return found

    assert asyncio.run(main()) == [(200, None), ("p", {})]


async def _exhaust(items: Any) -> None:
    async for _ in items:
        pass


def test_every_order_of_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    results = example("ready_queue").main()
    assert len({order for order, _ in results}) == 6
    assert {total for _, total in results} == {290, 300}
    assert capsys.readouterr().out.count("money lost!") == 3
