# SPDX-License-Identifier: Apache-2.0
"""This package has the parts of the closer look at one step, and their common state."""
