"""Which instruction put an entry on the stack: found by walking back, counting with `dis.stack_effect`."""

from __future__ import annotations

import dis

__all__ = ["entries_above_callee", "producer", "pushes_null"]

_LEAVES_ENTRIES_ALONE = (
    "CACHE", "COPY_FREE_VARS", "DELETE_", "DICT_", "EXTENDED_ARG", "JUMP", "KW_NAMES", "LIST_", "MAP_ADD", "NOP",
    "NOT_TAKEN", "POP_", "PRECALL", "RESUME", "SET_ADD", "SET_UPDATE", "STORE_",
)  # fmt: skip
_NEVER_CONTINUES = ("JUMP_BACKWARD", "JUMP_FORWARD", "RAISE_VARARGS", "RERAISE", "RETURN_CONST", "RETURN_VALUE")


def producer(instructions: list[dis.Instruction], index: int, depth: int) -> tuple[int, int] | None:
    """Find who put the stack entry that lies `depth` below the top before the instruction at `index`.

    Returns the producer's index and which of the entries that it pushed this is; None where it depends on a branch.
    """
    end, height = index, 0  # Heights are relative to the one before the instruction at `index`.
    entry = -1 - depth
    while True:
        step = _predecessor(instructions, index)
        if step is None:
            return None
        index, jumped = step
        instruction = instructions[index]
        before = height - dis.stack_effect(instruction.opcode, instruction.arg, jump=jumped)
        if before <= entry or entry >= height - _rewritten(instruction, height - before):
            return None if _jumped_over(instructions, index, end) else (index, entry - before)
        height = before


def _rewritten(instruction: dis.Instruction, effect: int) -> int:
    """How many of the topmost entries are the instruction's own, although it made the stack no higher."""
    name = instruction.opname
    for_a_call = {"LOAD_ATTR": 1, "LOAD_METHOD": 1, "LOAD_SUPER_ATTR": -1}  # Then they push self or NULL as well.
    if for_a_call.get(name) == effect:
        return 2
    if name == "STORE_FAST_LOAD_FAST":
        return 1
    return 0 if effect > 0 or name.startswith(_LEAVES_ENTRIES_ALONE) else 1


def _predecessor(instructions: list[dis.Instruction], index: int) -> tuple[int, bool] | None:
    """An instruction that runs just before the one at `index`, and whether it jumps there."""
    if index > 0 and not instructions[index - 1].opname.startswith(_NEVER_CONTINUES):
        return index - 1, False
    offset = instructions[index].offset
    return next(((at, True) for at in range(index) if _target(instructions[at]) == offset), None)


def _jumped_over(instructions: list[dis.Instruction], producer: int, user: int) -> bool:
    """Whether a jump from before the producer leads past it, so that another instruction may be the producer."""
    low, high = instructions[producer].offset, instructions[user].offset
    targets = map(_target, instructions[:producer])
    return any(target is not None and low < target <= high for target in targets)


def _target(instruction: dis.Instruction) -> int | None:
    jumps = instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs
    return instruction.argval if jumps else None


def pushes_null(instruction: dis.Instruction) -> bool:
    """Whether it is a look-up of a global that pushes NULL too, for a call."""
    return instruction.opname == "LOAD_GLOBAL" and dis.stack_effect(instruction.opcode, instruction.arg) == 2


def entries_above_callee(instruction: dis.Instruction) -> int:
    """How many stack entries the arguments take."""
    taken = 1 - dis.stack_effect(instruction.opcode, instruction.arg)
    return (instruction.arg or 0) if instruction.opname == "PRECALL" else taken - 2
