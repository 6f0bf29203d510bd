"""Findings of the audit, collected from the journals of a run: `seed-init audit`."""
