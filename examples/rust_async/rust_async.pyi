"""What src/lib.rs offers."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ohwait.completion import Completion

T = TypeVar("T")

def total(numbers: Sequence[int], seconds: float = 0.0) -> Coroutine[Any, Any, int]:
    """The sum, computed by two threads of Rust's which take that long."""

def ask_twice(function: Callable[[T], Awaitable[int]], first: T, second: T) -> Coroutine[Any, Any, int]:
    """Await function(first) and function(second) in Rust, and add the results."""

def count(to: int) -> Completion[int]:
    """How many numbers a thread has counted; it stops when nobody wants to know any more."""
