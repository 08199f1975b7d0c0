"""What a suspension costs, beside native `await` and everything else that one might use.

`python -m benchmarks --help` says how to run it. The parts, from the bottom up:

- `shapes/`: the functions that wait, of the same shape for every contender; `driver.py`: what drives them.
- `contenders/`: one way to wait each, in a file of its own.
- `cases/`: one question each, as its module's docstring; `toolkit/` and `service/` are what some of them ask about.
- `worker.py`: measures one case with one contender, in a process of its own, in the contenders' environment.
- `environment.py`: makes that environment for an interpreter and installs the contenders there.
- `schedule.py`: runs the workers in rounds, the contenders by turns; `instructions.py` counts instead of timing.
- `results.py`: the JSON files below `results/` and the ratios taken from them.
- `report/`: RESULTS.md, the plots and the table in README.md.
- `against.py`: compares two revisions instead; `significance.py` says which differences are not chance.

A new contender is a line in `contenders/__init__.py` and a file beside it; a new question is a file in `cases/`.
"""
