"""The figure of the front page: joint draws of a table's outputs, and of images.

It is written whole, and as two halves, which a phone shows one below the other.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skcvae import CVAERegressor, NNRegressor
from skcvae.datasets import load_digits_quadrants

FIGURES = Path(__file__).parent / "_static"
BLUE, ORANGE = "#0072B2", "#D55E00"


def draw_patient(ax, est, X_test, y_test):
    """Scatter two blood values of one patient over the rectangle of their two intervals."""
    total, ldl, _ = est.sample(X_test[:1], n_samples=600, random_state=0)[:, 0].T
    (left, right), (low, high), _ = est.predict_interval(X_test[:1], coverage=0.9)[0]
    ax.scatter(total, ldl, s=7, color=BLUE, alpha=0.5, linewidth=0, label="joint draws")
    box = {"facecolor": "none", "edgecolor": ORANGE, "linewidth": 1.6, "label": "90% intervals"}
    ax.add_patch(plt.Rectangle((left, low), right - left, high - low, **box))
    ax.plot(*np.asarray(y_test)[0, :2], "k*", markersize=13, label="truth")
    ax.set(xlabel="cholesterol, mg/dl", ylabel="LDL, mg/dl")
    ax.set_title("two blood values of a patient,\nfrom age, sex, BMI and blood pressure")
    ax.legend(loc="upper left", frameon=False, handletextpad=0.3)


def draw_digits(axes, n_draws=4):
    """Show quarters of digits, the digits, a network's answer and draws of a CVAE."""
    digits = load_digits_quadrants(n_quadrants=1, threshold=0.5)
    X, X_test, y, y_test = train_test_split(
        digits.data, digits.target, test_size=400, random_state=0
    )
    options = {"likelihood": "bernoulli", "normalize_X": False, "random_state": 0}
    network, cvae = NNRegressor(**options).fit(X, y), CVAERegressor(**options).fit(X, y)

    shown = np.random.default_rng(3).choice(len(X_test), len(axes), replace=False)
    X, y = X_test[shown], y_test[shown]
    draws = cvae.sample(X, n_samples=n_draws, observation_noise=False, random_state=0)
    images = [np.full(y.shape, np.nan), y, network.predict(X), *draws]
    titles = ["seen", "truth", "mean", "joint draws", *[""] * (n_draws - 1)]
    for title, answer, column in zip(titles, images, axes.T, strict=True):
        column[0].set_title(title, loc="left" if title == "joint draws" else "center")
        for image, ax in zip(digits.task.join(X, answer), column, strict=True):
            ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)


def draw(est, X_test, y_test):
    """Draw the table's case on the left and the images' on the right."""
    with plt.rc_context({"font.size": 12, "axes.titlesize": 12}):
        fig = plt.figure(figsize=(11, 4), layout="constrained")
        left, right = fig.subfigures(1, 2, width_ratios=[4, 6.4], wspace=0.04)
        draw_patient(left.subplots(), est, X_test, y_test)
        axes = right.subplots(4, 7, gridspec_kw={"wspace": 0.05, "hspace": 0.05})
        right.suptitle("a digit, from its bottom left quarter", fontsize=12)
        for ax in axes.flat:
            ax.set(xticks=[], yticks=[], facecolor="#9ecae1")
        draw_digits(axes)
        fig.savefig(FIGURES / "front.png", dpi=110)
        for name, half in {"table": left, "images": right}.items():
            box = half.bbox.transformed(fig.dpi_scale_trans.inverted())
            fig.savefig(FIGURES / f"front_{name}.png", dpi=110, bbox_inches=box)
