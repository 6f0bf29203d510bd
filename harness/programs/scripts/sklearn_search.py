"""Search a forest's parameters with two worker processes.

Each fit draws from the generator of the worker that happens to get it, and which worker gets
which fit is decided by who is free first.
"""

import json

from scipy.stats import randint
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import RandomizedSearchCV

features, labels = load_wine(return_X_y=True)
search = RandomizedSearchCV(
    RandomForestClassifier(n_estimators=8),
    {"max_depth": randint(2, 8), "min_samples_leaf": randint(1, 9)},
    n_iter=6,
    cv=3,
    n_jobs=2,
)
search.fit(features, labels)
result = {
    "best": {name: int(value) for name, value in search.best_params_.items()},
    "scores": search.cv_results_["mean_test_score"].tolist(),
}
tried = {name: values.tolist() for name, values in search.cv_results_.items() if "param_" in name}
print(json.dumps({"result": result, "repeats": [str(tried)]}))
