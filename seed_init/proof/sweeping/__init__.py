# SPDX-License-Identifier: Apache-2.0
"""This room runs one command under many seeds, keeps every run, and says what they have shown."""
