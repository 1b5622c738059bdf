"""How long a fit takes, by rows, outputs, widths and images; one core.

    OMP_NUM_THREADS=1 python benchmarks/how_long.py

Fits CVAERegressor with its defaults, except the sizes in the table, until it stops early, and
draws and scores 1,000 rows. Twenty standard normal inputs; outputs are smooth functions of them
with noise that is shared by all. Images are the upper and the lower half of smooth random fields.
Where a fit would be long, three epochs are timed, and the number of epochs is left open. Times are
CPU seconds of the process, after a first fit that warms up, one seed. About five minutes.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from record import write
from scipy.ndimage import gaussian_filter

from skcvae import CVAERegressor
from skcvae.architectures import MLP

# Rows, outputs, widths of the hidden layers (None: the default), whether the fit is whole.
TABLES = [
    (500, 1, None, True),
    (500, 10, None, True),
    (2_000, 1, None, True),
    (2_000, 10, None, True),
    (2_000, 100, None, True),
    (10_000, 10, None, True),
    (100_000, 10, None, False),
    (2_000, 10, (32, 32), False),
    (2_000, 10, (128, 128), False),
    (2_000, 10, (500, 500), False),
    (2_000, 10, (1000, 1000), False),
]
# Rows, side, architecture.
IMAGES = [(2_000, 16, "mlp"), (2_000, 32, "mlp"), (2_000, 16, "conv"), (2_000, 32, "conv")]


def table(n_rows, n_outputs):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 20), dtype=np.float32)
    signal = np.tanh(X @ rng.normal(size=(20, 30)) / 4) @ rng.normal(size=(30, n_outputs)) / 4
    shared = rng.normal(size=(n_rows, 2)) @ rng.normal(size=(2, n_outputs))
    return X, signal + shared + 0.3 * rng.normal(size=signal.shape)


def halves(n_rows, side):
    noise = np.random.default_rng(0).normal(size=(n_rows, side, side))
    images = gaussian_filter(noise, (0, side / 8, side / 8))
    images /= images.std()
    return images[:, : side // 2], images[:, side // 2 :]


def timed(call):
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def measure(X, y, whole, **params):
    est = CVAERegressor(random_state=0, **params)
    if not whole:
        est.set_params(max_epochs=3, early_stopping=False)
    fit, _ = timed(lambda: est.fit(X, y))
    sample, _ = timed(lambda: est.sample(X[:1000], n_samples=100, random_state=0))
    score, _ = timed(lambda: est.score(X[:1000], y[:1000]))
    epochs = len(est.history_)
    return {
        "epoch": fit / epochs,
        "epochs": epochs if whole else None,
        "fit": fit if whole else None,
        "sample": sample,
        "score": score,
    }


def line(case, what):
    numbers = (
        what["epoch"],
        what["epochs"] or "",
        what["fit"] or "",
        what["sample"],
        what["score"],
    )
    return f"{case:42}" + "".join(
        f"{number:9.3f}"
        if isinstance(number, float) and number < 1
        else f"{number:9.1f}"
        if isinstance(number, float)
        else f"{number:>9}"
        for number in numbers
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    measure(*table(200, 3), whole=False)
    record = {}
    for n_rows, n_outputs, widths, whole in TABLES:
        params = {} if widths is None else {"architecture": MLP(widths)}
        case = f"{n_rows:,} rows, {n_outputs} outputs, {widths or 'default width'}"
        record[case] = measure(*table(n_rows, n_outputs), whole, **params)
        print(line(case, record[case]), flush=True)
    for n_rows, side, architecture in IMAGES:
        case = f"{n_rows:,} images of {side} x {side}, {architecture}"
        record[case] = measure(*halves(n_rows, side), False, architecture=architecture)
        print(line(case, record[case]), flush=True)
    head = f"{'CPU seconds':42}" + "".join(
        f"{name:>9}" for name in ("epoch", "epochs", "fit", "sample", "score")
    )
    lines = [head, *(line(case, what) for case, what in record.items())]
    write(args.out / "how_long.json", {"cases": record}, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
