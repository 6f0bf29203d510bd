# SPDX-License-Identifier: Apache-2.0
"""Secrets, and text that could steer a terminal, are kept out of what is written."""
