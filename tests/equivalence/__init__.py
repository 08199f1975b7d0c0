"""Is a call of ``ohwait`` from a plain function as good as ``await``?

Test modules that were written for ``await`` are run twice: as they are, and with every ``await X`` turned into
the call of a plain function, some frames deep, that waits for ``X`` with ``ohwait``. What passes the first time
has to pass the second time.

- rewrite.py: turns awaits into calls while modules are imported
- child.py: the process that runs one module and writes down each outcome
- runs.py: starts those processes, survives crashes and hangs
- baseline.py: the unmodified runs, which can be kept
- compare.py: holds one run against the other, knows the exceptions
- exceptions.toml: the tests that cannot pass rewritten, each with its reason
- groups.py: which modules there are
- __main__.py: the same for any module, from the command line
"""
