"""Random trees of scopes, with children that fail, are cancelled and spawn more: nothing is lost, nothing is left."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from loops import Loop, every_loop
from scopes import Enter, by_async_with, by_run, by_with
from tiny_loop import TinyBackend

import ohwait
from ohwait import Handle, Scope, sleep

pytestmark = pytest.mark.filterwarnings("error")


class Failure(Exception):
    """What the children and bodies of the tree raise."""


@pytest.fixture(autouse=True)
def auto() -> Iterator[None]:
    yield
    ohwait.use_auto()


class Tree:
    """A random program of scopes; counts who runs, so that nobody can outlive the scope that it belongs to."""

    def __init__(self, seed: int, forms: tuple[Enter, ...]) -> None:
        self.random = random.Random(seed)
        self.forms = forms
        self.running = 0
        self.handles: list[Handle[Any]] = []

    def pause(self) -> None:
        sleep(self.random.choice([0, 0, 0.0005, 0.001, 0.002]))

    def child(self, depth: int) -> None:
        self.running += 1
        try:
            self.pause()
            if self.random.random() < 0.1:
                raise Failure
            if depth:
                self.scope(depth - 1)
            self.pause()
        finally:
            try:
                if self.random.random() < 0.2:
                    self.pause()
            finally:
                self.running -= 1

    def body(self, s: Scope, depth: int, handles: list[Handle[Any]]) -> None:
        for _ in range(self.random.randrange(4)):
            handles.append(s.spawn(self.child, depth))
            if self.random.random() < 0.2:
                self.pause()
        for handle in handles:
            if (dice := self.random.random()) < 0.1:
                handle.cancel()
            elif dice < 0.4:
                try:
                    handle.result()
                except ohwait.OhwaitError:
                    assert handle.cancelled()
        if self.random.random() < 0.1:
            raise Failure

    def scope(self, depth: int) -> None:
        handles: list[Handle[Any]] = []
        form = self.random.choice(self.forms)
        try:
            form(lambda s: self.body(s, depth, handles))
        except (ohwait.CFunctionError, BaseExceptionGroup) as error:
            if isinstance(error, BaseExceptionGroup) and self.random.random() < 0.5:
                raise
        finally:
            assert form is by_with or all(handle.done() for handle in handles)
            self.handles.extend(handles)


@every_loop
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("forms", [(by_run, by_async_with), (by_run, by_async_with, by_with)], ids=["waiting", "all"])
def test_random_trees(loop: Loop, seed: int, forms: tuple[Enter, ...]) -> None:
    tree = Tree(seed, forms)

    def main() -> None:
        before = loop.tasks()
        for _ in range(5):
            try:
                tree.scope(3)
            except BaseExceptionGroup as group:
                assert group.split(Failure)[1] is None or by_with in forms
        sleep(0.02)
        assert loop.tasks() == before

    loop.run(main)
    assert tree.running == 0
    assert all(handle.done() for handle in tree.handles)


@pytest.mark.parametrize("seed", range(12))
def test_random_trees_on_a_third_partys_loop(seed: int) -> None:
    tree = Tree(seed, (by_run, by_async_with))

    def main() -> None:
        for _ in range(5):
            try:
                tree.scope(3)
            except BaseExceptionGroup as group:
                # This loop cannot interrupt a body: it may try to spawn although a child has failed.
                assert group.split((Failure, ohwait.OhwaitError))[1] is None

    ohwait.use_backend(TinyBackend())
    ohwait.run(main)
    assert tree.running == 0
    assert all(handle.done() for handle in tree.handles)
