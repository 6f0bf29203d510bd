"""The test suites of CPython and of libraries, with the hook and without it.

    make test-peers                          # every suite
    make test-peers PEERS="cpython numpy"    # some of them

A suite runs in two private interpreters that differ in the hook alone. A test that fails only
under the hook is run again, alone, in both: it fails this run if the difference is there again.

    suites.py     which suites there are, and what of them is expected to differ, with the reason
    running.py    one suite in one interpreter: the outcome of each test
    judging.py    what two outcomes say about the hook
"""
