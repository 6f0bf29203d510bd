# SPDX-License-Identifier: Apache-2.0
"""Where two runs differ: steps, events, outputs, files and environments."""
