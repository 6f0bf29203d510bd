# SPDX-License-Identifier: Apache-2.0
"""Files and terminals: helpers for every room."""
