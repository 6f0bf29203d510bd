# SPDX-License-Identifier: Apache-2.0
"""This package collects the findings of the audit from the journals of a run."""
