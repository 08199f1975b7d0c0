"""The documented names of other libraries, on top of ohwait: `asynkit` (0.20), `awaiter` and `awaitlet`.

Each module behaves as its model documents it. New code is better off with ohwait's own modules.
"""
