"""What the hook costs. `make bench` prints all of it; `python -m benchmarks startup` one part.

Every figure in the documentation comes from here. Ratios are of arms that ran interleaved in
one go, in random order: a shared machine changes speed within seconds.
"""
