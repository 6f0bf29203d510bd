# SPDX-License-Identifier: Apache-2.0
"""What a plan can name. Each module has a function `start`."""
