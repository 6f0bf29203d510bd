# SPDX-License-Identifier: Apache-2.0
"""What an interactive shell of the image says at its start: which seed its programs will have.

`image/login.sh` asks for it; no other process loads this file.
"""

import os

from seed_init.hook import announcing, startup, state

IDLE = (
    f"neither the environment nor {startup.DEFAULTS} has SEED or DETERMINISM: "
    "nothing is seeded; set SEED"
)


def line() -> str:
    """What holds for the programs that are started from here, in one line.

    Returns:
        The line as it goes to the terminal; "" where SEED_INIT_LOG=quiet asks for none.
    """
    text, log = _text_and_log()
    return "" if log == "quiet" else f"seed_init: {text}"


def _text_and_log() -> tuple[str, str]:
    """What to say, and the value of SEED_INIT_LOG."""
    # Where the hook does nothing it refuses nothing either, so neither may this.
    log = os.environ.get("SEED_INIT_LOG", "").strip()
    if os.environ.get("SEED_INIT", "").strip() == "0":
        return "SEED_INIT=0: nothing is seeded", log
    if not startup.is_asked():
        return IDLE, log
    settings = state.settings
    if settings.determinism is None:
        return IDLE, settings.log
    if state.drew_alone:
        # No entrypoint has drawn for the container (docker run --entrypoint bash).
        level = settings.determinism
        return f"SEED=random: every program draws its own, DETERMINISM={level}", settings.log
    return announcing.summary(settings), settings.log
