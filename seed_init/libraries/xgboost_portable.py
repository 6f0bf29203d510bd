# SPDX-License-Identifier: Apache-2.0
"""XGBoost under level `portable`: linear boosters without the updater whose threads race.

`booster="gblinear"` takes the updater shotgun by itself, whose threads update the weights without a
lock (xgboost/src/linear/updater_shotgun.cc). `coord_descent` does not depend on threads.
"""

import sys

from seed_init.hook import debug
from seed_init.hook.callers import like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RACING, ORDERED = "shotgun", "coord_descent"


def imported(name: str) -> None:
    """Have each booster ask for the updater, after the import.

    Args:
        name: xgboost.core.
    """
    booster: Any = sys.modules[name].Booster
    original = booster.set_param

    @like(original)
    def set_param(self: "Any", params: "Any", value: "Any" = None) -> "Any":
        if isinstance(params, str):
            if value is None:
                return original(self, params)
            return original(self, _without_race([(params, value)]))
        return original(self, _without_race(params.items() if hasattr(params, "items") else params))

    booster.set_param = set_param


def _without_race(params: "Any") -> "list[tuple[str, Any]]":
    """The same parameters, with the updater that is named for a linear booster.

    Raises:
        RuntimeError: they name the one whose threads race.
    """
    given = [tuple(pair) for pair in params]
    if ("updater", RACING) in given:
        raise RuntimeError(
            f"under DETERMINISM=portable updater={RACING!r} of XGBoost is not accepted, because "
            f"its threads race; use updater={ORDERED!r}"
        )
    if ("booster", "gblinear") in given and "updater" not in dict(given):
        debug(f"XGBoost: updater={ORDERED} for gblinear (DETERMINISM=portable)")
        given.append(("updater", ORDERED))
    return given
