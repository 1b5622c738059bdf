"""How good label maps, conditional likelihoods and draws are.

Functions take arrays and return a float; `pit` returns one number for each
output. As ``scoring=`` of scikit-learn's model selection serve
`pixel_accuracy_scorer` and `mean_iou_scorer`, which score what `predict` returns,
`crps_scorer` and `energy_scorer`, which score what `sample` returns, and the function
`cll_per_pixel`. Of all these, higher is better.

A target that is NaN was not observed, and does not count.
"""

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
    "cll_per_pixel",
    "crps",
    "crps_scorer",
    "energy_score",
    "energy_scorer",
    "intersection_over_union",
    "interval_coverage",
    "mean_iou_scorer",
    "negative_cll_per_pixel",
    "pit",
    "pixel_accuracy",
    "pixel_accuracy_scorer",
]
