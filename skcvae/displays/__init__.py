"""Visualisation of predictive distributions, in scikit-learn's Display convention.

Displays are created by `from_estimator` or `from_predictions`; `plot` draws them again. They
store their data, the axes in `ax_` and the figure in `figure_`. Matplotlib is imported only
when a display is drawn.
"""

from skcvae.displays._annotations import AnnotationsDisplay
from skcvae.displays._calibration import CalibrationDisplay
from skcvae.displays._joint import JointSamplesDisplay
from skcvae.displays._predictive_band import PredictiveBandDisplay
from skcvae.displays._progression import ProgressionDisplay
from skcvae.displays._samples import SamplesDisplay
from skcvae.displays._training import TrainingDisplay

__all__ = [
    "AnnotationsDisplay",
    "CalibrationDisplay",
    "JointSamplesDisplay",
    "PredictiveBandDisplay",
    "ProgressionDisplay",
    "SamplesDisplay",
    "TrainingDisplay",
]
