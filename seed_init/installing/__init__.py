# SPDX-License-Identifier: Apache-2.0
"""Where the hook lives in a Python installation."""
