"""Check in the build that the base is what the tag says, and write down what it is.

Usage: check_base.py OUTPUT.json, with BASE_IMAGE, BASE_DIGEST and EXPECT_* in the environment.
Exit 1 with one line that names what the base has and what was expected.
"""

import json
import os
import sys
from pathlib import Path


def found() -> dict[str, str]:
    """The versions in the base: torch x.y.z, CUDA x.y, cuDNN major."""
    import torch

    cudnn = torch.backends.cudnn.version() or 0
    return {
        "torch": torch.__version__.partition("+")[0],
        "cuda": torch.version.cuda or "none",
        # 90100 is 9.1.0; cuDNN 8 wrote 8700 for 8.7.0.
        "cudnn": str(cudnn // (10000 if cudnn >= 90000 else 1000)),
    }


def named(versions: dict[str, str]) -> str:
    return f"torch {versions['torch']}, CUDA {versions['cuda']}, cuDNN {versions['cudnn']}"


def main() -> int:
    base, digest = os.environ["BASE_IMAGE"], os.environ["BASE_DIGEST"]
    if digest and not base.endswith(f"@{digest}"):
        return fail(
            f"BASE_IMAGE={base} does not end in BASE_DIGEST={digest}; give both build arguments "
            "(BASE_DIGEST= for a base without a digest), or the image's labels would lie"
        )
    expected = {name: os.environ[f"EXPECT_{name.upper()}"] for name in ("torch", "cuda", "cudnn")}
    try:
        have = found()
    except ImportError as error:
        return fail(
            f"{base} has no torch to import ({error}); this build expects {named(expected)}"
        )
    if have != expected:
        return fail(
            f"{base} has {named(have)}; this build expects {named(expected)} "
            "(build arguments EXPECT_TORCH, EXPECT_CUDA, EXPECT_CUDNN)"
        )
    output = Path(sys.argv[1])
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({**have, "base": base, "base_digest": digest}, indent=2) + "\n")
    return 0


def fail(line: str) -> int:
    print(f"seed-init build: {line}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
