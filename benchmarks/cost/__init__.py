"""What determinism costs: models trained under each level, each switch, and by its peers' means.

`python -m benchmarks.cost` measures and writes JSON, a table and a picture into docs/cost. `models`
and `train` are the program that is measured and know nothing of the rest. `arms` says under what
the program is run, `pythons` makes the Python that runs it. A model is measured as
`seed-init cost` measures a user's program (seed_init/proof/cost): `measuring` hands that one the
arms. `record` keeps the figures; `table` and `picture` show them.
"""
