"""Attribute progression on faces: layered and plain networks, recognised attributes, masks.

    python benchmarks/attributes.py --data FOLDER

FOLDER holds `celeba/celeba_10k_32.npz`, 10,000 CelebA faces of 32 x 32 pixels with 40
attributes, and `lfw_parts/`, LFW part labels with 73 attribute scores. On CelebA it trains a
classifier of the attributes on real faces, and the layered and the plain network that generate
faces from attributes. The classifier then reads the attributes of generated faces, and of
progressions of unseen faces, which are drawn as six panels. On LFW the layered network is
trained with masks, and finds the masks of unseen images without; faces without scores are
trained on too, in copies that are turned, scaled, shifted and of other light.

Fitted networks go to `--models` and are not fitted again; figures, which hold photographs, are
written beside them.
"""

import argparse
import time
import warnings
from pathlib import Path

import lfw_faces
import numpy as np
import torch
from record import write
from sklearn.metrics import balanced_accuracy_score

import skcvae
from skcvae import CVAERegressor, NNRegressor, Training, progression
from skcvae.architectures import Conv, Layered
from skcvae.displays import ProgressionDisplay
from skcvae.likelihoods import Gaussian, MaskedImage
from skcvae.metrics import intersection_over_union
from skcvae.objectives import Hybrid

SHOWN = {  # the six panels
    "Male": "gender",
    "Young": "age",
    "Smiling": "expression",
    "Eyeglasses": "eyewear",
    "Blond_Hair": "hair colour",
    "Bangs": "bangs",
}
RECOGNISED = [
    *SHOWN, "Black_Hair", "Mouth_Slightly_Open", "Wearing_Lipstick", "Heavy_Makeup",
]  # fmt: skip
ALPHA = 0.8  # of the hybrid objective: with 1, draws of z from the prior contradict x
N_TRAIN = 8000
N_MEASURED = 200  # test rows, where draws or steps are many
STEPS = 7
PANEL_ROWS = slice(10, 14)  # of the test faces without the attribute
OPTIMISED = 100  # gradient steps of encode


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, default=Path("attribute_models"))
    parser.add_argument("--only", nargs="+", default=["celeba", "lfw"])
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 32, 64, 96])
    parser.add_argument(
        "--layered-channels", type=int, nargs="+", default=[8, 16, 32, 64],
        help="of each layer: both take about the time of the plain network",
    )  # fmt: skip
    parser.add_argument("--latent", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lfw-channels", type=int, nargs="+", default=[8, 32, 96, 128])
    parser.add_argument("--lfw-latent", type=int, default=128)
    parser.add_argument("--lfw-copies", type=int, default=25, help="of each training face")
    parser.add_argument("--lfw-epochs", type=int, default=3)
    parser.add_argument("--lfw-weight-decay", type=float, default=0.2)
    parser.add_argument("--mask-weight", type=float, default=8.0)
    parser.add_argument("--completions", type=int, default=16, help="draws of z for a mask")
    parser.add_argument("--validate", action="store_true", help="LFW's recipe was chosen by")
    parser.add_argument("--samples", type=int, default=100, help="S of the CLL")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def fitted(name, make, rows, args):
    """Return the estimator of a name, fitted or read from its file, and the seconds of its fit."""
    path = args.models / f"{name}.skcvae"
    seconds = path.with_suffix(".seconds")
    if not path.exists():
        start = time.perf_counter()
        checkpoint = path.with_suffix(".checkpoint")  # an interrupted fit goes on from there
        est = make().set_params(training__checkpoint=checkpoint).fit(*rows())
        seconds.write_text(str(round(time.perf_counter() - start)))
        est.save(path)
    return skcvae.load(path), int(seconds.read_text())


def generator(architecture, args, **params):
    """Return a CVAE that is trained for a fixed number of epochs."""
    params = {"max_epochs": args.epochs, "latent_dim": args.latent, **params}
    return CVAERegressor(
        architecture=architecture, prior="standard", early_stopping=False, batch_size=64,
        training=Training(lr_schedule="one_cycle"), random_state=args.seed, verbose=1, **params,
    )  # fmt: skip


# CelebA.


def load_celeba(args):
    """Return attributes and images of the training and of the test rows, and names."""
    data = np.load(args.data / "celeba" / "celeba_10k_32.npz")
    order = np.random.default_rng(args.seed).permutation(len(data["image"]))
    X = data["attribute"][order].astype(float)
    y = np.moveaxis(data["image"][order], -1, 1) / 255
    names = [str(name) for name in data["attribute_name"]]
    return (X[:N_TRAIN], y[:N_TRAIN]), (X[N_TRAIN:], y[N_TRAIN:]), names


def celeba(args):
    train, test, names = load_celeba(args)
    channels = tuple(args.channels)

    def make_classifier():
        return NNRegressor(
            architecture=Conv(channels), likelihood="bernoulli", max_epochs=6,
            training=Training(lr_schedule="one_cycle"), early_stopping=False, batch_size=64,
            random_state=args.seed, verbose=1,
        )  # fmt: skip

    classifier, _ = fitted("classifier", make_classifier, lambda: train[::-1], args)
    models = {
        "layered": lambda: generator(
            Layered(tuple(args.layered_channels)), args, objective=Hybrid(ALPHA)
        ),
        "plain": lambda: generator(
            Conv(channels), args, objective=Hybrid(ALPHA), latent_dim=args.latent // 16
        ),
    }
    record = {"real": accuracies(classifier, test[1], test[0], names), "models": {}}
    for name, make in models.items():
        est, seconds = fitted(f"celeba_{name}", make, lambda: train, args)
        record["models"][name] = {
            "fit_seconds": seconds,
            "generated": generated(est, classifier, test[0], names, args),
            "progression": rising(est, classifier, test, names),
            "encoding": encodings(est, test),
            **likelihood(est, *test, args),
        }
        draw(est, test, names, args, name)
    return record


def accuracies(classifier, images, X, names):
    """Return accuracy and balanced accuracy of each recognised attribute."""
    found = classifier.predict(images) > 0.5
    pairs = {name: (X[:, names.index(name)], found[:, names.index(name)]) for name in RECOGNISED}
    return {
        name: [float(np.mean(true == said)), float(balanced_accuracy_score(true, said))]
        for name, (true, said) in pairs.items()
    }


def generated(est, classifier, X, names, args):
    """Return the accuracies on faces generated from attributes of test rows, z from the prior."""
    z = np.random.default_rng(args.seed).normal(size=(len(X), *est.latent_shape_))
    return accuracies(classifier, est.decode(X, z), X, names)


def rising(est, classifier, test, names):
    """Return the classifier's mean score at each step of each progression."""
    X, y = (part[:N_MEASURED] for part in test)
    z = est.encode(X, y)
    found = {}
    for name in RECOGNISED:
        column = names.index(name)
        steps = progression(est, X, column, STEPS, z)
        found[name] = [float(classifier.predict(images)[:, column].mean()) for images in steps]
    return found


def encodings(est, test):
    """Return the root mean squared error of reconstructions of unseen faces."""
    X, y = (part[: N_MEASURED // 2] for part in test)

    def error(z):
        return float(np.sqrt(np.mean((est.decode(X, z) - y) ** 2)))

    return {
        "encode": error(est.encode(X, y)),
        "optimised": error(est.encode(X, y, n_steps=OPTIMISED)),
    }


def likelihood(est, X, y, args):
    with warnings.catch_warnings():  # a small effective sample size is shown in the table
        warnings.simplefilter("ignore", UserWarning)
        log_p, ess = est.log_prob(
            X[:N_MEASURED], y[:N_MEASURED], n_samples=args.samples, return_ess=True
        )
    return {"cll": float(log_p.mean()), "median_ess": float(np.median(ess))}


def draw(est, test, names, args, model):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(13, 5.4), layout="constrained")
    X, y = test
    for panel, (name, title) in zip(figure.subfigures(2, 3).flat, SHOWN.items(), strict=True):
        column = names.index(name)
        rows = np.flatnonzero(X[:, column] == 0)[PANEL_ROWS]
        z = est.encode(X[rows], y[rows])
        ProgressionDisplay.from_estimator(
            est, X[rows], column, np.linspace(0, 1, STEPS), z, y=y[rows],
            value_names=["0", *[""] * (STEPS - 2), "1"], ax=panel.subplots(4, STEPS + 1),
        )  # fmt: skip
        panel.suptitle(f"{title} ({name})")
    figure.savefig(args.models / f"attributes_celeba_{model}.png", dpi=110)
    plt.close(figure)


# LFW parts.


def load_lfw(args):
    """Return images with masks, scores and copies to train on, and the measured rows."""
    X, y, split = lfw_faces.load(args.data)
    train, measured = (split == 0, split == 1) if args.validate else (split != 2, split == 2)
    measured &= ~np.isnan(X[:, 0])
    rng = np.random.default_rng(args.seed)
    rows = lfw_faces.copies(X[train], y[train], args.lfw_copies, rng)
    return rows, (X[measured], lfw_faces.seen(y[measured])), train


def without_masks(y):
    hidden = y.copy()
    hidden[:, -1] = np.nan
    return hidden


def lfw(args):
    (X_train, y_train), (X, y), train = load_lfw(args)
    noise = Gaussian(heteroscedastic=True)

    def make(architecture, likelihood, latent_dim, **params):
        params = {"partial_X": True, "max_epochs": args.lfw_epochs, **params}
        est = generator(architecture, args, likelihood=likelihood, latent_dim=latent_dim, **params)
        return est.set_params(training__weight_decay=args.lfw_weight_decay)

    layered, seconds = fitted(
        "lfw_layered",
        lambda: make(
            Layered(tuple(args.lfw_channels), mask=True),
            MaskedImage(noise, mask_weight=args.mask_weight), args.lfw_latent, partial_y=True,
        ),
        lambda: (X_train, y_train), args,
    )  # fmt: skip
    plain, plain_seconds = fitted(
        "lfw_plain",
        lambda: make(Conv(tuple(args.channels)), noise, args.lfw_latent // 16),
        lambda: (X_train, y_train[:, :-1]), args,
    )  # fmt: skip
    masks = {
        "of_mean": np.broadcast_to(y_train[:, -1].mean(axis=0), y[:, -1].shape),
        **found_masks(layered, X, y, args),
    }
    draw_masks(layered, X, y, args)
    return {
        "n_train": int(train.sum()),
        "n_train_rows": len(X_train),
        "n_train_scored": int((~np.isnan(X_train[: train.sum(), 0])).sum()),
        "n_test": len(X),
        "iou": {
            name: intersection_over_union(y[:, -1], mask > 0.5, label=1)
            for name, mask in masks.items()
        },
        "layered": {"fit_seconds": seconds, **likelihood(layered, X, without_masks(y), args)},
        "plain": {"fit_seconds": plain_seconds, **likelihood(plain, X, y[:, :-1], args)},
    }


def found_masks(est, X, y, args):
    """Return probabilities of the foreground: without the masks, and with them."""
    hidden = without_masks(y)

    def gate(of, **params):
        return est.decode(X, est.encode(X, of, **params))[:, -1]

    def completed(of):
        how = {"n_steps": 1, "observation_noise": False, "random_state": args.seed}
        return est.complete(X, of, args.completions, **how)[:, :, -1].mean(axis=0)

    mirrored = completed(hidden[..., ::-1])[..., ::-1]
    found = {"gate": gate(hidden), "completed": completed(hidden)}
    found["with_mirror_image"] = (found["completed"] + mirrored) / 2
    return {**found, "mask_seen": gate(y, n_steps=OPTIMISED)}


def draw_masks(est, X, y, args, n=8):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    X, y = X[:n], y[:n]
    z = est.encode(X, without_masks(y))
    layers = est.decode_layers(X, z)
    columns = {
        "image": y, "mask": y[:, -1], "reconstruction": est.decode(X, z),
        "foreground": layers.foreground, "gate": layers.gate, "background": layers.background,
    }  # fmt: skip
    figure, axes = plt.subplots(n, len(columns), figsize=(6.6, 1.1 * n), layout="constrained")
    for column, (title, images) in zip(axes.T, columns.items(), strict=True):
        column[0].set_title(title, fontsize="small")
        colors = images if images.ndim == 3 else np.moveaxis(lfw_faces.rgb(images), 1, -1)
        for ax, image in zip(column, colors, strict=True):
            ax.imshow(image.clip(0, 1), cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
    figure.savefig(args.models / "attributes_lfw_layers.png", dpi=110)
    plt.close(figure)


# Tables.


def celeba_table(record):
    bar = f"{'=' * 19}  {'=' * 12}  {'=' * 12}  {'=' * 12}  {'=' * 7}"
    lines = [
        f"CelebA, 32 x 32, {N_TRAIN:,} training and {10_000 - N_TRAIN:,} test faces. Accuracy in "
        "percent (balanced accuracy)",
        "of a classifier trained on real faces: on real test faces, and on faces generated from",
        "the attributes of the test rows with z from the prior. Rises: whether its mean score",
        f"rises at each of {STEPS - 1} steps from 0 to 1, on {N_MEASURED} faces: layered / plain.",
        "",
        bar,
        "attribute            real          layered       plain         rises",
        bar,
    ]
    models = record["models"].values()
    for name, real in record["real"].items():
        cells = [real, *(model["generated"][name] for model in models)]
        text = [f"{100 * plain:5.1f} ({100 * balanced:4.1f})" for plain, balanced in cells]
        rises = " / ".join(
            "yes" if (np.diff(model["progression"][name]) > 0).all() else "no" for model in models
        )
        lines.append(f"{name:19}  " + "  ".join(f"{cell:12}" for cell in text) + f"  {rises}")
    lines += [bar, ""]
    for name, model in record["models"].items():
        error = model["encoding"]
        lines += [
            f"{name}: CLL {model['cll']:.1f} nats per image ({N_MEASURED} test faces, median ESS "
            f"{model['median_ess']:.1f}); RMSE of",
            f"reconstructions {error['encode']:.4f}, with {OPTIMISED} gradient steps on z "
            f"{error['optimised']:.4f}; fit {model['fit_seconds']} s.",
        ]
    return lines


def lfw_table(record):
    iou = record["iou"]
    return [
        f"LFW parts, 32 x 32, {record['n_train']:,} training faces ({record['n_train_scored']} "
        f"with 73 scores) in {record['n_train_rows']:,} copies, {record['n_test']}",
        "others with scores. Masks of hair and face of these from images and scores, intersection",
        f"over union: {iou['gate']:.3f} by the gate, {iou['completed']:.3f} completed given the "
        f"image, {iou['with_mirror_image']:.3f} averaged",
        f"with that of the mirror image; {iou['of_mean']:.3f} by the mean mask. With z optimised "
        f"for image and mask: {iou['mask_seen']:.3f}.",
        *(
            f"{name}: CLL of {min(N_MEASURED, record['n_test'])} of these images "
            f"{record[name]['cll']:.1f} nats (median ESS {record[name]['median_ess']:.1f}); fit "
            f"{record[name]['fit_seconds']} s."
            for name in ("layered", "plain")
        ),
    ]


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    args.out.mkdir(exist_ok=True)
    args.models.mkdir(exist_ok=True)
    parts = {"celeba": (celeba, celeba_table), "lfw": (lfw, lfw_table)}
    for name in args.only:
        measure, table = parts[name]
        found = measure(args)
        protocol = {k: v for k, v in vars(args).items() if not isinstance(v, Path)}
        text = "\n".join([*table(found), ""])
        name += "_validation" * args.validate
        write(args.out / f"attributes_{name}.json", {**found, "protocol": protocol}, text)


if __name__ == "__main__":
    main()
