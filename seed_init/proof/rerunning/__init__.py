# SPDX-License-Identifier: Apache-2.0
"""Make a recorded run again, and compare: `seed-init rerun`.

The arrows between the modules go one way, upwards in this list:

    recorded   what a record says of how to make its run, or why it cannot be made again
    here       what of this machine is not as it was then
    tree       the files of the run, beside the user's own
    rerunner   the run, and its comparison with the record
"""
