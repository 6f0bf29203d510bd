# SPDX-License-Identifier: Apache-2.0
"""This package runs inside an observed process: the plan names the instruments.

The start-up file loads `lifecycle` only where SEED_INIT_TRACE or SEED_INIT_RECORD asks for it.
Nothing here may change what the program computes: the observer draws from no generator, adds no
collective and no synchronisation to a step, and switches off an instrument that fails, after one
report. The arrows between the modules go one way:

    lifecycle    starts; reads the plan, loads the instruments, makes this process the `owner`
    instruments  one file an instrument; NAME_torch.py is the half that is loaded after torch
    closely      the parts of the instrument `window`
    audit        the parts of the instrument `auditing`
    tensors      tensors as numbers
    callbacks    what is to be called after an import and at the end
    user_code    which files and frames are the user's
    core         the plan, the journal, and `guarded`, around all that the program calls
"""
