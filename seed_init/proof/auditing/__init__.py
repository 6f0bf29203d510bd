# SPDX-License-Identifier: Apache-2.0
"""Findings of the audit, collected from the journals of a run: `seed-init audit`."""
