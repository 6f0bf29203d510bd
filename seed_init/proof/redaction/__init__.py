# SPDX-License-Identifier: Apache-2.0
"""This room keeps secrets and personal names out of everything that is written or printed."""
