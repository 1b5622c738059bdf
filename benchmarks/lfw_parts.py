"""Segmentation of faces: the paper's ablation, and label maps completed from a part.

    python benchmarks/lfw_parts.py FILE

FILE is the npz of LFW part labels (hair, face, background) that
`skcvae.datasets.load_lfw_parts` reads, or the folder of the original data. On
the official split it trains five models, each plain, with the multi-scale
objective, and with that and input omission noise, and measures pixel accuracy
and negative CLL on the test images. Then test maps of which blocks are missing
are completed by the deterministic network and by the CVAE. Each model is
written to the JSON file as it is done; `--models` and `--settings` train some of them,
and what the file holds already is not done again. `--latent-scales` is the number of
scales of z of the models that have latent variables.
"""

import argparse
import json
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
import skorch
import torch

import skcvae
from skcvae import CVAERegressor, GSNNRegressor, HybridStructuredPredictor, NNRegressor, Training
from skcvae.architectures import Conv
from skcvae.datasets import load_lfw_parts
from skcvae.metrics import intersection_over_union, negative_cll_per_pixel, pixel_accuracy

MODELS = {
    "baseline": (NNRegressor, {}),
    "GDNN": (NNRegressor, {"initial_guess": True}),
    "GSNN": (GSNNRegressor, {"initial_guess": True}),
    "CVAE": (CVAERegressor, {"initial_guess": True, "kl_warmup": 5}),
    "hybrid": (HybridStructuredPredictor, {"initial_guess": True, "kl_warmup": 5}),
}
SETTINGS = {
    "plain": {},
    "multi-scale": {"n_scales": 3},
    "multi-scale, omission": {"n_scales": 3, "omission": 0.4},
}
OWN = ("file", "models", "settings", "out")  # of a call, not of the protocol
COMPLETED = ("GDNN", "CVAE")  # with both additions
PAPER = {  # (percent missing, block): LFW columns of the paper's fourth table, GDNN and CVAE
    (25, 1): (96.93, 99.22),
    (25, 4): (96.55, 99.09),
    (25, 8): (97.14, 98.73),
    (50, 1): (91.84, 97.29),
    (50, 4): (90.87, 97.08),
    (50, 8): (92.68, 96.15),
    (70, 1): (85.27, 89.71),
    (70, 4): (85.70, 93.16),
    (70, 8): (87.83, 92.06),
}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--latent-scales", type=int, default=1)
    parser.add_argument("--size", type=int, default=32, help="side of the images")
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--samples", type=int, default=100, help="S of the CLL")
    parser.add_argument("--completions", type=int, default=10, help="whose most frequent label")
    parser.add_argument("--steps", type=int, default=10, help="of a completion")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def load(args, subset):
    return load_lfw_parts(args.file, subset, size=args.size, return_X_y=True)


def fit(model, setting, args):
    estimator, parameters = MODELS[model]
    n_scales = 1 if estimator is NNRegressor else args.latent_scales
    est = estimator(
        architecture=Conv(tuple(args.channels), n_latent_scales=n_scales),
        likelihood="categorical",
        max_epochs=args.epochs,
        batch_size=args.batch,
        random_state=args.seed,
        device=args.device,
        training=Training(patience=args.epochs),
        **parameters,
        **SETTINGS[setting],
    )
    X_val, y_val = load(args, "validation")
    return est.fit(*load(args, "train"), X_val=X_val, y_val=y_val)


def measure(est, args):
    X, y = load(args, "test")
    predicted = est.predict(X, method="latent_mean")  # the paper's deterministic inference
    with warnings.catch_warnings():  # a small effective sample size is shown in the table
        warnings.simplefilter("ignore", UserWarning)
        log_p, ess = est.log_prob(X, y, n_samples=args.samples, return_ess=True)
    return {
        "accuracy": pixel_accuracy(y, predicted),
        "iou": [intersection_over_union(y, predicted, label=k) for k in range(3)],
        "negative_cll_per_pixel": negative_cll_per_pixel(log_p, y),
        "median_ess": float(np.median(ess)),
    }


def completions(est, args):
    X, y = load(args, "test")
    found = {}
    for percent, side in PAPER:
        rng = np.random.default_rng(args.seed)
        blocks = rng.random((len(y), args.size // side, args.size // side)) < percent / 100
        mask = blocks.repeat(side, axis=1).repeat(side, axis=2)
        draws = est.complete(
            X, y, args.completions, mask,
            n_steps=args.steps, observation_noise=False, random_state=args.seed,
        )  # fmt: skip
        votes = np.stack([(draws == label).sum(axis=0) for label in est.classes_])
        found[f"{percent} {side}"] = pixel_accuracy(y, est.classes_[votes.argmax(axis=0)])
    return found


def run(args, path):
    for setting in args.settings:
        for model in args.models:
            name = f"{model}, {setting}"
            if name in _record(path)["rows"]:
                continue
            start = time.perf_counter()
            est = fit(model, setting, args)
            row = {"fit_seconds": round(time.perf_counter() - start), **measure(est, args)}
            best = [epoch["epoch"] for epoch in est.history_ if epoch["valid_cll_best"]]
            row["best_epoch"] = best[-1]
            if model in COMPLETED and setting == list(SETTINGS)[-1]:
                row["completion"] = completions(est, args)
            print(model, setting, row, flush=True)
            record = _record(path)
            record["rows"][name] = row
            record["protocol"] = {k: v for k, v in vars(args).items() if k not in OWN}
            record["versions"] = {
                m.__name__: m.__version__ for m in (skcvae, torch, sklearn, skorch)
            }
            record["machine"] = platform.machine()
            path.write_text(json.dumps(record, indent=2) + "\n")


def _record(path):
    return json.loads(path.read_text()) if path.exists() else {"rows": {}}


def table(record):
    rows, protocol = record["rows"], record["protocol"]
    size = protocol["size"]
    lines = [
        f"LFW part labels (hair, face, background) at {size} x {size}, official split, 1,500",
        f"training images, 927 test images; channels {protocol['channels']}, at most "
        f"{protocol['epochs']} epochs,",
        f"best epoch by validation CLL on 500 images; seed {protocol['seed']}, "
        f"S = {protocol['samples']}; all but the baseline",
        "with the recurrent connection, CVAE and hybrid with a KL warm-up of 5 epochs and "
        f"{protocol.get('latent_scales', 1)}",
        "scale(s) of latent variables. IoU: mean of the three classes. The effective sample size",
        "(ESS) of the CVAE's score is small, so that its CLL is rather too low.",
        "",
    ]
    bar = f"{'=' * 8}  {'=' * 21}  {'=' * 10}  {'=' * 8}  {'=' * 21}  {'=' * 10}"
    lines += [
        bar,
        "model     training               accuracy %  mean IoU  -CLL, nats per pixel   median ESS",
        bar,
    ]
    for name, row in sorted(rows.items(), key=lambda item: _order(item[0])):
        model, _, setting = name.partition(", ")
        lines.append(
            f"{model:8}  {setting:21}  {100 * row['accuracy']:10.2f}  {np.mean(row['iou']):8.3f}"
            f"  {row['negative_cll_per_pixel']:21.4f}  {row['median_ess']:10.1f}"
        )
    lines += [bar, "", *_completion_table(rows, protocol)]
    return "\n".join([*lines, ""])


def _order(name):
    model, _, setting = name.partition(", ")
    return list(MODELS).index(model), list(SETTINGS).index(setting)


def _completion_table(rows, protocol):
    found = [
        rows.get(f"{model}, {list(SETTINGS)[-1]}", {}).get("completion") for model in COMPLETED
    ]
    if not all(found):
        return []
    bar = f"{'=' * 9}  {'=' * 5}  {'=' * 7}  {'=' * 7}  {'=' * 12}  {'=' * 12}"
    lines = [
        "Pixel accuracy in percent of test maps of which blocks are missing, over all pixels;",
        "what is known is given; both models with multi-scale and omission. Each pixel takes the",
        f"most frequent of the likeliest labels of {protocol['completions']} completions of "
        f"{protocol['steps']} steps.",
        "The paper's columns are of another subset with four classes, at 128 x 128, where a block",
        "is a smaller part of the image: they compare in kind, not digit by digit.",
        "",
        bar,
        "missing %  block  GDNN     CVAE     paper's GDNN  paper's CVAE",
        bar,
    ]
    for (percent, side), paper in PAPER.items():
        ours = [100 * column[f"{percent} {side}"] for column in found]
        lines.append(
            f"{percent:9}  {side:5}  {ours[0]:7.2f}  {ours[1]:7.2f}"
            f"  {paper[0]:12.2f}  {paper[1]:12.2f}"
        )
    return [*lines, bar]


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    args.out.mkdir(exist_ok=True)
    path = args.out / f"lfw_parts_{args.size}.json"
    run(args, path)
    text = table(_record(path))
    path.with_suffix(".txt").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
