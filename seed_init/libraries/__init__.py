# SPDX-License-Identifier: Apache-2.0
"""One file a library: how to seed it, and how to set its flags.

Each file has `seed(value)` and, as far as its library needs them, the functions that
docs/reference/libraries.md describes. A file may import its library, because the file is loaded
only after the library's own import. `startup.LIBRARIES` names the files. `one_call` is what several
of them share; `uncovered` is the table of the libraries that SEED does not reach.
"""
