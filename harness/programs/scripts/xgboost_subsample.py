"""Fit gradient-boosted trees with row and column subsampling."""

import json

import xgboost
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

inputs, targets = load_diabetes(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(inputs, targets)
model = xgboost.XGBRegressor(n_estimators=30, subsample=0.6, colsample_bytree=0.6, n_jobs=1)
model.fit(train_x, train_y)
result = {
    "predictions": model.predict(test_x[:20]).tolist(),
    "importances": model.feature_importances_.tolist(),
    "score": model.score(test_x, test_y),
}
print(json.dumps({"result": result}))
