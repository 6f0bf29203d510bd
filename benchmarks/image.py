"""What the image adds to its base, from the engine's own sizes.

Targets: runtime at most 15 MB, notebook as little as the lock allows.
"""

import json
import os
import subprocess

from harness.versions import pinned

TAG = pinned()["IMAGE_TAG"]
MEGABYTE = 1e6


def main() -> None:
    runtime, notebook = size(TAG), size(f"{TAG}-notebook")
    if runtime is None or notebook is None:
        print(
            "image sizes: not measured, because the images are not here; `make image` builds them"
        )
        return
    base = os.environ.get("BASE_IMAGE") or base_of(TAG)
    below = size(base)
    if below is None:
        print(f"image sizes: not measured, because the base {base} is not here")
        return
    print(f"image sizes over {base} ({below / MEGABYTE:.0f} MB)")
    print(f"  runtime   + {(runtime - below) / MEGABYTE:.1f} MB")
    print(f"  notebook  + {(notebook - below) / MEGABYTE:.1f} MB")
    ssh = size(f"{TAG}-ssh")
    if ssh is not None:
        print(f"  ssh       + {(ssh - notebook) / MEGABYTE:.1f} MB over notebook")


def size(image: str) -> int | None:
    """The size of an image in bytes; None where there is no such image or no engine."""
    found = _inspect(image, "{{.Size}}")
    return int(found) if found else None


def base_of(image: str) -> str:
    """The base that an image's label names."""
    labels = json.loads(_inspect(image, "{{json .Config.Labels}}") or "{}")
    return str(labels.get("org.opencontainers.image.base.name", ""))


def _inspect(image: str, form: str) -> str | None:
    try:
        done = subprocess.run(
            ["docker", "image", "inspect", "--format", form, image],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    main()
