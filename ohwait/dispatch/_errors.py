"""The error of this family."""

from __future__ import annotations

from .._errors import OhwaitError

__all__ = ["DispatchError"]


class DispatchError(OhwaitError):
    """A coroutine cannot be handed on: to that place, from here, or without `use_awaiter`."""


DispatchError.__module__ = "ohwait.dispatch"
