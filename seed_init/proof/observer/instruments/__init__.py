# SPDX-License-Identifier: Apache-2.0
"""This package has the instruments that a plan can name; each has a function `start`.

Where NAME.py has a NAME_torch.py beside it, the second file is the half that needs torch.
"""
