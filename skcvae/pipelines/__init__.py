"""Methods of an estimator at the end of a pipeline, or inside a fitted search.

scikit-learn's `Pipeline` and `GridSearchCV` pass on `predict` and `score`, but no method that
scikit-learn does not know. Each of these functions transforms X with the first steps and calls the
method of its name of the last step. It takes a fitted pipeline, search or estimator, inputs X as
the first step takes them, and the other arguments of the method; it raises TypeError if the last
step has no such method. Frames that are asked for with ``as_frame=True`` have the index of X.

>>> import skcvae
>>> from sklearn.decomposition import PCA
>>> from sklearn.pipeline import make_pipeline
>>> from skcvae.datasets import make_linear_gaussian
>>> data = make_linear_gaussian(n_samples=200, random_state=0)
>>> est = make_pipeline(PCA(2), skcvae.CVAERegressor(max_epochs=5, random_state=0))
>>> est = est.fit(data.X, data.y)
>>> skcvae.sample(est, data.X, n_samples=4).shape
(4, 200, 3)
>>> skcvae.predict_interval(est, data.X, coverage=0.8).shape
(200, 3, 2)
>>> skcvae.decode(est, data.X, skcvae.encode(est, data.X, data.y)).shape
(200, 3)
"""

from skcvae.pipelines.density import (
    complete,
    log_prob,
    predict,
    predict_interval,
    predict_modes,
    predict_quantiles,
    predict_region,
    probability,
    sample,
)
from skcvae.pipelines.latent import decode, decode_layers, encode, reconstruct
from skcvae.pipelines.steps import last_step, to_torch
from skcvae.pipelines.tables import tabular_pipeline

__all__ = [
    "complete",
    "decode",
    "decode_layers",
    "encode",
    "last_step",
    "log_prob",
    "predict",
    "predict_interval",
    "predict_modes",
    "predict_quantiles",
    "predict_region",
    "probability",
    "reconstruct",
    "sample",
    "tabular_pipeline",
    "to_torch",
]
