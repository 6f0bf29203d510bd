# SPDX-License-Identifier: Apache-2.0
"""What was observed: the journal of a process, and the record of a run."""
