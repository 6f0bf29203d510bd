"""Shuffle a table, sample from it, and bootstrap a mean with pandas."""

import json

import numpy as np
import pandas as pd

table = pd.DataFrame({"group": np.arange(200) % 4, "value": np.sqrt(np.arange(200.0))})
shuffled = table.sample(frac=1.0)
weighted = table.sample(n=20, weights="value", replace=True)
means = [float(table["value"].sample(frac=1.0, replace=True).mean()) for _ in range(50)]
per_group = table.groupby("group").sample(n=3)
result = {
    "order": shuffled.index.tolist(),
    "weighted": weighted.index.tolist(),
    "means": means,
    "per group": per_group.index.tolist(),
}
print(json.dumps({"result": result}))
