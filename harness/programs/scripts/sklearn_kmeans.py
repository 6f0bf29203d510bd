"""Cluster random blobs, and cross-validate a linear model that is trained by SGD."""

import json

from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import ShuffleSplit, cross_val_score

points, groups = make_blobs(n_samples=400, centers=5, n_features=4, cluster_std=3.0)
clusters = KMeans(n_clusters=5, init="random", n_init=1).fit(points)
scores = cross_val_score(SGDClassifier(), points, groups, cv=ShuffleSplit(n_splits=4))
result = {
    "centers": clusters.cluster_centers_.tolist(),
    "inertia": float(clusters.inertia_),
    "scores": scores.tolist(),
}
print(json.dumps({"result": result}))
