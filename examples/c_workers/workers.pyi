"""What workers.c offers."""

from ohwait.completion import Completion

def start(threads: int, /) -> int:
    """Start the pool; how many threads there are."""

def steps(n: int, /) -> Completion[int]:
    """The number of steps from n to 1 (Collatz), computed by the pool."""

def stop() -> None:
    """End the threads, and give up the jobs that are waiting: CompletionAbandoned."""

def counters() -> tuple[int, int]:
    """Jobs computed, and jobs skipped because nobody wanted the result any more."""
