"""The documented names of other libraries, on top of ohwait: `asynkit` (0.20), `awaiter` and `awaitlet`.

Each module behaves as its model documents it; where ohwait's own modules differ, they are the better choice for new code.
"""
