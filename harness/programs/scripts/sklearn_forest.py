"""Split a data set, fit a random forest, and rank the features by permutation."""

import json

from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import train_test_split

features, labels = load_wine(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(features, labels, test_size=0.3)
forest = RandomForestClassifier(n_estimators=30).fit(train_x, train_y)
importance = permutation_importance(forest, test_x, test_y, n_repeats=3)
result = {
    "accuracy": forest.score(test_x, test_y),
    "probabilities": forest.predict_proba(test_x[:20]).tolist(),
    "importance": importance.importances_mean.tolist(),
}
print(json.dumps({"result": result}))
