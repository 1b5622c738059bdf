"""Metrics of label maps, conditional log-likelihoods and draws.

Functions take arrays and return a float, except `pit`, which returns one value per
output. The following can be passed as ``scoring`` to scikit-learn's model selection:
`pixel_accuracy_scorer` and `mean_iou_scorer`, which use `predict`; `crps_scorer`,
`energy_scorer` and, for several annotators, `ged_scorer`, which use `sample`; and
`cll_per_pixel`, which uses `log_prob`. For all of these, higher is better.

Targets that are NaN are missing and are ignored. If targets and what they are compared with are
DataFrames or Series, the names of outputs and rows must be the same, in the same order; otherwise
a ValueError is raised. A default index and columns that are not texts are not names.
"""

from skcvae.metrics._annotations import (
    best_of_n_iou,
    ged_scorer,
    generalized_energy_distance,
    matched_iou,
    sample_diversity,
)
from skcvae.metrics._calibration import interval_coverage, pit
from skcvae.metrics._conditional_likelihood import cll_per_pixel, negative_cll_per_pixel
from skcvae.metrics._label_maps import (
    intersection_over_union,
    mean_iou_scorer,
    pixel_accuracy,
    pixel_accuracy_scorer,
)
from skcvae.metrics._scoring_rules import crps, crps_scorer, energy_score, energy_scorer

__all__ = [
    "best_of_n_iou",
    "cll_per_pixel",
    "crps",
    "crps_scorer",
    "energy_score",
    "energy_scorer",
    "ged_scorer",
    "generalized_energy_distance",
    "intersection_over_union",
    "interval_coverage",
    "matched_iou",
    "mean_iou_scorer",
    "negative_cll_per_pixel",
    "pit",
    "pixel_accuracy",
    "pixel_accuracy_scorer",
    "sample_diversity",
]
