"""What a suspension costs, beside native `await` and greenlet.

`python -m benchmarks --help` says how to run it. The parts, from the bottom up:

- `cases/`: one question each, as its module's docstring.
- `contenders/`: one way to wait each, in a file of its own.
- `worker.py`: measures one case, contender and depth, in a process of its own, in the contenders' environment.
- `environment.py`: makes that environment for an interpreter and installs the contenders there.
- `schedule.py`: runs the workers in rounds, the contenders by turns; `instructions.py` counts instead of timing.
- `results.py`: the JSON files below `results/` and the ratios taken from them.
- `report/`: RESULTS.md, the plots and the table in README.md.
"""
