# SPDX-License-Identifier: Apache-2.0
"""This room runs the user's command: under which conditions, where, and to which end."""
