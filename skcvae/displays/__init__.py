"""What a model draws, as figures: scikit-learn's Display convention.

A display is made by `from_estimator` or by `from_predictions`, and drawn anew by `plot`. It
keeps what it shows, the axes in `ax_` and the figure in `figure_`. Matplotlib is imported
where a display is drawn, and not before.
"""

from skcvae.displays._calibration import CalibrationDisplay
from skcvae.displays._joint import JointSamplesDisplay
from skcvae.displays._predictive_band import PredictiveBandDisplay
from skcvae.displays._samples import SamplesDisplay
from skcvae.displays._training import TrainingDisplay

__all__ = [
    "CalibrationDisplay",
    "JointSamplesDisplay",
    "PredictiveBandDisplay",
    "SamplesDisplay",
    "TrainingDisplay",
]
