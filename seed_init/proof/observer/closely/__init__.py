# SPDX-License-Identifier: Apache-2.0
"""The closer look at one step: batches, draws, modules and operators."""
