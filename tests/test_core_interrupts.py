"""KeyboardInterrupt at every point of suspending and resuming: `finally` blocks of every frame always run."""

from __future__ import annotations

import pytest
from core_tools import passes

pytestmark = pytest.mark.unrepeatable("each test is a process of its own")


def test_pending_at_every_point_of_c() -> None:
    assert "interrupts" in passes("interrupt_c_points.py")


def test_at_every_traced_line_and_opcode() -> None:
    assert int(passes("interrupt_python_points.py")) > 100


@pytest.mark.slow
def test_by_a_timer_at_swept_delays() -> None:
    rounds = 20_000
    interrupted = int(passes("interrupt_by_timer.py", "plain", str(rounds)))
    assert interrupted == rounds


def test_the_scenario_itself_is_safe_natively() -> None:
    """What the test above asks is what CPython grants to await."""
    assert int(passes("interrupt_by_timer.py", "native", "2000")) == 2000
