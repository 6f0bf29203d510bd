# SPDX-License-Identifier: Apache-2.0
"""Train a CNN and a transformer for a few steps; the last line on stdout has their digests."""

import json

from harness.trainings import TRAININGS

NAMES = ("cnn_sgd", "cnn_adamw", "transformer", "lstm")


def main() -> None:
    found = {}
    for name in NAMES:
        for part, digest in TRAININGS[name]().items():
            found[f"{name}.{part}"] = digest
    print(json.dumps(found))


if __name__ == "__main__":
    main()
