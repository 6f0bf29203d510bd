# SPDX-License-Identifier: Apache-2.0
"""Several runs of one command, judged: `seed-init verify`."""
