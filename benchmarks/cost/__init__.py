"""What determinism costs: models trained under each level, each switch, and by its peers' means.

`python -m benchmarks.cost` measures and writes JSON, a table and a plot into docs/cost. `models`
and `train` are the program that is measured and know nothing of the rest; `arms` says under what it
is run, `running` runs it once, `measuring` in rounds, `ratios` has the arithmetic, `record` keeps
the figures, `table` and `plot` show them.
"""
