# SPDX-License-Identifier: Apache-2.0
"""From records to what a report shows: one file for each part of the page."""
