"""One file a library: how to seed it, and how to set its flags.

Each file has `seed(value)`, `hold(others_draw)` and `release()` for the lock of its generator
around a fork and, where the library has flags, `configure(settings)`. It may
import its library, since it is loaded only after the library's own import. `startup.LIBRARIES`
names the files.
"""
