"""What becomes of damaged and hostile files: saved models and checkpoints.

    python benchmarks/fuzz_files.py [--files 10000] [--first 0]

Each file is damaged in one of three ways: bits are flipped, a piece is cut off or out, or its
document or arrays are edited and the checksum is set right, as someone would who knows the format.
Models are loaded and asked for predictions, draws and densities; a fit resumes from checkpoints.
A file is refused with ValueError or OSError, or is equal to the original, or differs from it and
answers. Anything else is a fault, and so is memory beyond 20 times the file and 64 MiB, or more
than a CPU second, and another for each MiB, to load it.
"""

import argparse
import collections
import copy
import json
import random
import resource
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping

import skcvae
from skcvae import CVAERegressor, NNRegressor, Training
from skcvae.architectures import MLP, Conv
from skcvae.io import checkpoint_file, document, files
from skcvae.likelihoods import Categorical, Columns, Gaussian, MultivariateGaussian, Poisson
from skcvae.priors import Flow, GaussianProcess, Mixture
from skcvae.training import checkpoint

MIB = 2**20
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
Y = X[:, :2] + rng.normal(size=(40, 2))
IMAGES = rng.normal(size=(40, 6, 5))
MIXED = np.hstack([rng.integers(3, 6, size=(40, 1)), Y, rng.poisson(3.0, size=(40, 1))])
GROUPS = [("kind", Categorical(), [0]), ("real", Gaussian(), [1, 2]), ("count", Poisson(), [3])]
MODELS = {
    "plain": (CVAERegressor(), X, Y),
    "flow": (CVAERegressor(prior=Flow(1, hidden_layer_sizes=[8])), X, Y),
    "process": (CVAERegressor(prior=GaussianProcess()), X, Y),
    "mixture": (CVAERegressor(prior=Mixture(2), likelihood=MultivariateGaussian(1)), X, Y),
    "columns": (CVAERegressor(likelihood=Columns(GROUPS)), X, MIXED),
    "bins": (NNRegressor(architecture=MLP([8], bins=4)), X, Y),
    "field": (NNRegressor(likelihood="color_field", architecture=Conv((2, 3))), X, IMAGES),
    "conv": (CVAERegressor(architecture=Conv((2, 3)), prior="standard"), X, IMAGES),
}
FITS = {
    "one cycle": CVAERegressor(architecture=MLP([8], dropout=0.1), training=Training(
        lr_schedule="one_cycle", callbacks=[EarlyStopping(monitor="train_loss")])),
    "momentum": NNRegressor(architecture=MLP([8]), early_stopping=False, training=Training(
        optimizer="SGD", optimizer_params={"momentum": 0.5}, ema_decay=0.0)),
}  # fmt: skip


class CutOffError(Exception):
    """Ends a fit that is to resume."""


class Cut(Callback):
    """Cut a fit off in its third epoch."""

    def __init__(self, epoch=0):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise CutOffError


# Damage.


def flipped(content, source):
    content = bytearray(content)
    for _ in range(source.randint(1, 3)):
        content[source.choice([source.randrange(len(content)), source.randrange(200)])] ^= (
            1 << source.randrange(8)
        )
    return bytes(content)


def cut(content, source):
    start, stop = sorted(source.choices(range(len(content)), k=2))
    return source.choice([content[:stop], content[start:], content[:start] + content[stop:]])


def places(value):
    """Yield each place in a document, as its container and its key there."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


VALUES = [
    None, True, False, 0, 1, -1, 7, 10**6, 10**12, 10**30, 0.5, 1e300, "", "text", "x" * 10**5,
    [], {}, [[]] * 3000, {"float": "nan"}, {"float": "-inf"}, {"tuple": [10**4, 10**4]},
    {"tuple": []}, {"dict": {"a": 1}}, {"pairs": [[1, 2]]}, {"pairs": [1]}, {"texts": ["a", "b"]},
    {"array": "none"}, {"optimizer": "SGD"}, {"Training": {}}, {"os.system": "true"}, "__class__",
]  # fmt: skip


def edit_document(content, source):
    every = list(places(content))
    for _ in range(source.randint(1, 3)):
        container, key = source.choice(every)
        other, other_key = source.choice(every)
        what = source.choice(["set", "set", "copy", "delete", "rename"])
        try:
            if what == "set":
                container[key] = copy.deepcopy(source.choice(VALUES))
            elif what == "copy":
                container[key] = copy.deepcopy(other[other_key])
            elif what == "delete":
                del container[key]
            else:
                container[source.choice(["", "__dict__", "f_params", "path_"])] = container[key]
        except (KeyError, IndexError, TypeError):
            pass  # an earlier edit took the place away


def edit_arrays(arrays, source):
    name = source.choice(sorted(arrays))
    array = arrays[name]
    shape = tuple(source.choices(range(5), k=source.randrange(4)))
    arrays[name] = source.choice([
        lambda: arrays[source.choice(sorted(arrays))],
        lambda: array.astype(source.choice(["?", "i1", "u8", "f2", "f8"])),
        lambda: np.zeros(shape, array.dtype),
        lambda: np.full_like(array, np.nan if array.dtype.kind == "f" else 77),
        lambda: np.full_like(array, 1e300 if array.dtype == float else 255),
        lambda: np.zeros_like(array),
        lambda: -array if array.dtype != bool else ~array,
        lambda: array[:1] if array.ndim else array,
    ])()  # fmt: skip


def edited(content, source, path, form):
    """Change a file that has the right checksum again."""
    path.write_bytes(content)
    text, arrays = files.read(path, format=form)
    found = json.loads(text)
    if source.random() < 0.7:
        edit_document(found, source)
    else:
        edit_arrays(arrays, source)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    files.write(path, json.dumps(found), arrays, format=form)
    return path.read_bytes()


# What becomes of it.


def answers(est, X, y):
    with np.errstate(all="ignore"):
        return est.predict(X[:4]), est.sample(X[:4], 2, 0), est.log_prob(X[:4], y[:4])


class Originals:
    """Whole files, and what is asked of damaged ones."""

    def __init__(self, folder):
        self.path = Path(folder) / "file"
        self.contents, self.expected, self.fits = {}, {}, {}
        for name, (est, X, y) in MODELS.items():
            est = est.set_params(max_epochs=1, random_state=0).fit(X, y)
            est.save(self.path)
            self.contents["model", name] = self.path.read_bytes()
            self.expected["model", name] = answers(est, X, y)
        for name, est in FITS.items():
            callbacks = est.training.callbacks or []
            est.set_params(max_epochs=3, random_state=0, training__checkpoint=self.path)
            self.path.unlink(missing_ok=True)
            try:
                est.set_params(training__callbacks=[*callbacks, Cut(3)]).fit(X, Y)
            except CutOffError:
                self.contents["checkpoint", name] = self.path.read_bytes()
            self.fits[name] = est.set_params(training__callbacks=[*callbacks, Cut()])
            self.expected["checkpoint", name] = answers(est.fit(X, Y), X, Y)

    def damaged(self, case, source):
        """Return a kind of damage, and the content of a file."""
        kind = source.choice(["bits", "pieces", "structure", "structure"])
        content = self.contents[case]
        form = {"model": document.FORMAT, "checkpoint": checkpoint_file.FORMAT}[case[0]]
        if kind == "structure":
            return kind, edited(content, source, self.path, form)
        return kind, (flipped if kind == "bits" else cut)(content, source)

    def used(self, case):
        """Use the file; return the answers, and what reading took."""
        kind, name = case
        before, start = peak(reset=True), time.process_time()
        est = skcvae.load(self.path) if kind == "model" else self.fits[name].fit(X, Y)
        cost = time.process_time() - start, peak() - before
        _, X_, y_ = MODELS[name] if kind == "model" else (None, X, Y)
        return answers(est, X_, y_), cost


def peak(*, reset=False):
    """Return the largest resident memory in bytes, since the last reset where Linux has one."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def outcome(originals, case, content):
    """Return what became of a file: a word, and details of a fault."""
    originals.path.write_bytes(content)
    before, start, cost = peak(reset=True), time.process_time(), None
    try:
        found, cost = originals.used(case)
        same = all(
            np.array_equal(*pair) for pair in zip(found, originals.expected[case], strict=True)
        )
        word, detail = ("equal" if same else "differs, answers"), ""
    except (ValueError, OSError) as error:
        word, detail = "refused", str(error)
        if len(detail) > 700:
            return "fault", f"an error of {len(detail)} characters"
    except Exception as error:
        return "fault", f"{type(error).__name__}: {str(error)[:200]}"
    seconds, memory = cost or (time.process_time() - start, peak() - before)
    if memory > 20 * len(content) + 64 * MIB:
        return "fault", f"{memory / MIB:.0f} MiB for {len(content)} bytes"
    if seconds > 1 + len(content) / MIB:
        return "fault", f"{seconds:.1f} s for {len(content)} bytes"
    return word, detail


def run(n_files, first=0):
    """Return counts of (kind of file, damage, outcome), and descriptions of the faults.

    What a file is follows from its number.
    """
    counts, faults = collections.Counter(), []
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        originals = Originals(folder)
        for number in range(first, first + n_files):
            source = random.Random(number)
            kind = source.choice(["model", "checkpoint"])
            case = source.choice([case for case in originals.contents if case[0] == kind])
            damage, content = originals.damaged(case, source)
            word, detail = outcome(originals, case, content)
            counts[case[0], damage, word] += 1
            if word == "fault":
                faults.append(f"file {number} ({' '.join(case)}, {damage}): {detail}")
    return counts, faults


def table(counts, faults, n_files):
    words = ["refused", "equal", "differs, answers", "fault"]
    lines = [f"{'file':12}{'damage':12}" + "".join(f"{word:>18}" for word in words)]
    for kind, damage in sorted({key[:2] for key in counts}):
        row = "".join(f"{counts[kind, damage, word]:>18,}" for word in words)
        lines.append(f"{kind:12}{damage:12}{row}")
    return "\n".join([f"{n_files:,} files", "", *lines, "", *faults]).rstrip() + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint.MAX_WRITE_SHARE = float("inf")
    text = table(*run(args.files, args.first), args.files)
    print(text)
    (args.out / "fuzz_files.txt").write_text(text)
