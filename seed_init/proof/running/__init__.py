# SPDX-License-Identifier: Apache-2.0
"""Runs of the user's command: under which conditions, where, and how they end."""
