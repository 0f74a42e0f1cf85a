"""How any stage runs: plan, manifest, atomic writes, executors, progress. Knows nothing of figures.

    stage.py      what a stage is: its units, what it may look at, what it computes
    log.py        the commit log: one line a commit, the only truth about what exists
    files.py      atomic writes, Parquet blocks, hashes
    state.py      the folders of a build, its lock, its records
    blocks.py     ranges of ids that are worked on and committed together
    plan.py       which blocks are due, and why: a pure function
    work.py       one block: copy what is unchanged, compute the rest, write
    compute.py    one unit, and what becomes of one that fails
    isolated.py   one unit in a process that may die of it
    runner.py     one stage: plan, work, commit, count
    executors.py  where blocks run
    progress.py   what a run shows
    care.py       verify and gc
"""
