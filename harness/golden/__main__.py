# SPDX-License-Identifier: Apache-2.0
"""Compute the golden digests anew, and write them into digests.json."""

import sys

from harness import golden

sys.exit(golden.main())
