# SPDX-License-Identifier: Apache-2.0
"""Each module of this package finds one kind of finding; `instruments.auditing` starts them.

    generators  made without a seed; explicit seeding that overrides SEED
    libraries   imported, with generators of their own
    flags       determinism flags that are changed after the start
    operators   nondeterministic operators of PyTorch (`nondeterministic` is their table)
    listings    directory listings whose order is used (`ordering` looks at the source)
    readings    clocks and entropy that user code reads
    workers     the generators that each DataLoader worker holds (`held_generators` finds them)
    children    the same of each child of multiprocessing and of its copies

`findings` counts and writes what they see, `sources` says where in the user's code.
"""
