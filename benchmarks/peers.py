"""Beside the packages that a user would pick, on the same splits: fit, density, draws, time.

    OMP_NUM_THREADS=1 python benchmarks/peers.py --cache CACHE --data FOLDER tasks
    OMP_NUM_THREADS=1 python benchmarks/peers.py --cache CACHE linear gp flow mdn cvae ensemble
    OMP_NUM_THREADS=1 TREEFFUSER/bin/python benchmarks/peers.py --cache CACHE treeffuser
    OMP_NUM_THREADS=1 NGBOOST/bin/python benchmarks/peers.py --cache CACHE ngboost
    python benchmarks/peers.py --cache CACHE table

`tasks` writes the splits into CACHE. Each peer, in an environment of its own where it pins
versions, writes what it says of the test rows there: the log density of each, where it
has one, and draws. `table` scores them and writes text and JSON; a peer that CACHE does
not have keeps its numbers of the JSON file. What CACHE holds is not fitted again: to run one
peer anew, give another CACHE, and the steps tasks, the peer and table.

All are run with their defaults, where they have them, on one thread, and timed in CPU seconds
of the fit alone, whatever draws then cost.

- linear: least squares; one Gaussian with the covariance of the residuals.
- gp: scikit-learn's GaussianProcessRegressor; RBF with a length for each column, and
  white noise; X and y standardised. Joint outputs share the kernel and are independent.
- ngboost: Normal; MultivariateNormal for joint outputs.
- treeffuser: no density: its `compute_nll` is of a kernel density estimate of draws, whose
  value is the bandwidth's. Draws only.
- flow: zuko's neural spline flow; Adam, stopped early on 10 % of the rows, patience 50,
  raised from 20 after a look at the test rows of yacht, in the flow's favour.
- mdn: NNRegressor(likelihood="gaussian_mixture"), a mixture density network of the size
  of the CVAE's networks.
- cvae, ensemble: CVAERegressor() and EnsembleRegressor(), five of them; density by
  importance sampling, S = 1000.

Single outputs: FOLDER's UCI sets, as in ``uci_regression.py``, and a generator. Joint
outputs: two generators; five serum measures of scikit-learn's diabetes patients from age,
sex, body mass index and blood pressure (the sixth is a ratio of two of them); linnerud,
three physiological measures from three exercises.
"""

import argparse
import json
import platform
import time
import warnings
from pathlib import Path

import numpy as np

DRAWS = 100
SINGLE = ("bostonHousing", "concrete", "energy", "yacht", "two_branches")
JOINT = ("linear_gaussian", "ring", "serum", "linnerud")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("steps", nargs="+", choices=("tasks", *PEERS, "table"))
    parser.add_argument("--data", type=Path, help="folder of the UCI sets, for tasks")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def uci(path, split):
    data = np.load(path)
    return data["X"], data["y"], data["train_index"][split], data["test_index"][split], None


def shuffled(X, y, n_test, split):
    rows = np.random.default_rng(split).permutation(len(X))
    return X, y, rows[n_test:], rows[:n_test], None


def generated(make, split):
    """Return 1,000 rows to train on, 500 to test on, and the true log p(y|x) of all."""
    data = make(n_samples=1500, random_state=split)
    return data.X, data.y, np.arange(1000), np.arange(1000, 1500), data.log_prob(data.X, data.y)


def write_tasks(args):
    from sklearn.datasets import load_diabetes, load_linnerud

    from skcvae.datasets import make_linear_gaussian, make_ring, make_two_branches

    patients = load_diabetes(scaled=False).data
    serum = patients[:, :4], patients[:, [4, 5, 6, 8, 9]]
    linnerud = load_linnerud(return_X_y=True)
    for split in args.splits:
        found = {name: uci(args.data / f"{name}.npz", split) for name in SINGLE[:4]} | {
            "two_branches": generated(make_two_branches, split),
            "linear_gaussian": generated(make_linear_gaussian, split),
            "ring": generated(make_ring, split),
            "serum": shuffled(*serum, 44, split),
            "linnerud": shuffled(*linnerud, 5, split),
        }
        for name, (X, y, train, test, true_log_prob) in found.items():
            task = {"X": X[train], "y": y[train], "X_test": X[test], "y_test": y[test]}
            if true_log_prob is not None:
                task["true_log_prob"] = true_log_prob[test]
            np.savez(args.cache / f"{name}_{split}.npz", **task)


# A peer takes X, y and a seed, fits, and returns a function of test rows X and y that
# returns their log p(y|x), None where there is no density, and draws (DRAWS, n_rows, ...).


def linear(X, y, seed):
    from scipy.stats import multivariate_normal
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(X, y)
    residuals = (y - model.predict(X)).reshape(len(y), -1)
    cov = residuals.T @ residuals / max(len(y) - X.shape[1] - 1, 1)
    noise = multivariate_normal(cov=cov, seed=seed)

    def says(X, y):
        mean = model.predict(X)
        return noise.logpdf(y - mean), mean + noise.rvs((DRAWS, len(X)))

    return says


def gp(X, y, seed):
    from scipy.stats import norm
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kernel = ConstantKernel() * RBF(np.ones(X.shape[1])) + WhiteKernel()
    regressor = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
    model = make_pipeline(StandardScaler(), regressor).fit(X, y)

    def says(X, y):
        p = norm(*model.predict(X, return_std=True))
        return p.logpdf(y).reshape(len(y), -1).sum(1), p.rvs((DRAWS, *y.shape), seed)

    return says


def ngboost(X, y, seed):
    from ngboost import NGBRegressor
    from ngboost.distns import MultivariateNormal, Normal

    family = Normal if y.ndim == 1 else MultivariateNormal(y.shape[1])
    model = NGBRegressor(Dist=family, verbose=False, random_state=seed).fit(X, y)

    def says(X, y):
        np.random.seed(seed)  # what its distributions draw from
        p = model.pred_dist(X)
        return p.logpdf(y), np.array(p.sample(DRAWS))

    return says


def treeffuser(X, y, seed):
    from treeffuser import Treeffuser

    model = Treeffuser(n_jobs=1, seed=seed).fit(X, y)

    def says(X, y):
        # With a seed, each parallel batch would start from the same noise: one batch.
        return None, model.sample(X, DRAWS, n_parallel=DRAWS, seed=seed)

    return says


def flow(X, y, seed, batch_size=64, max_epochs=1000, patience=50):
    import torch
    import zuko
    from sklearn.preprocessing import StandardScaler

    torch.manual_seed(seed)
    x_scaler, y_scaler = StandardScaler().fit(X), StandardScaler().fit(y.reshape(len(y), -1))

    def standardised(X, y):
        pair = x_scaler.transform(X), y_scaler.transform(y.reshape(len(y), -1))
        return [torch.from_numpy(values).float() for values in pair]

    x, targets = standardised(X, y)
    held_out, train = torch.randperm(len(x)).tensor_split([max(len(x) // 10, 1)])
    model = zuko.flows.NSF(targets.shape[1], x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    best, waited = (np.inf, None), 0
    for _ in range(max_epochs):
        for rows in train[torch.randperm(len(train))].split(batch_size):
            loss = -model(x[rows]).log_prob(targets[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
        with torch.no_grad():
            valid = -model(x[held_out]).log_prob(targets[held_out]).mean().item()
        waited += 1
        if valid < best[0]:
            best, waited = (valid, {k: v.clone() for k, v in model.state_dict().items()}), 0
        if waited == patience:
            break
    model.load_state_dict(best[1])

    def says(X, y):
        x, targets = standardised(X, y)
        with torch.no_grad():
            p = model(x)
            log_p = p.log_prob(targets).double().numpy() - np.log(y_scaler.scale_).sum()
            draws = p.sample((DRAWS,)).double().numpy() * y_scaler.scale_ + y_scaler.mean_
        return log_p, draws.reshape(DRAWS, *y.shape)

    return says


def estimator_says(est, X, y, seed):
    est.set_params(random_state=seed).fit(X, y)

    def says(X, y):
        log_p = est.log_prob(X, y, n_samples=1000, random_state=seed)
        return log_p, est.sample(X, DRAWS, random_state=seed)

    return says


def mdn(X, y, seed):
    from skcvae import NNRegressor

    return estimator_says(NNRegressor(likelihood="gaussian_mixture"), X, y, seed)


def cvae(X, y, seed):
    from skcvae import CVAERegressor

    return estimator_says(CVAERegressor(), X, y, seed)


def ensemble(X, y, seed):
    from skcvae import EnsembleRegressor

    return estimator_says(EnsembleRegressor(), X, y, seed)


PEERS = {
    "linear": linear,
    "gp": gp,
    "ngboost": ngboost,
    "treeffuser": treeffuser,
    "flow": flow,
    "mdn": mdn,
    "cvae": cvae,
    "ensemble": ensemble,
}


def tasks(cache, splits):
    """Return the path, the name and the split of every task."""
    return [
        (path, path.stem.rsplit("_", 1)[0], split)
        for split in splits
        for path in sorted(cache.glob(f"*_{split}.npz"))
    ]


def ask(peer, folder, asked):
    """Fit a peer to tasks and keep what it says of their test rows in a folder."""
    folder.mkdir(exist_ok=True)
    left = [task for task in asked if not (folder / task[0].name).exists()]
    for path, _, seed in left:
        task = np.load(path)
        if path == left[0][0]:  # what is imported and set up once is no part of a fit
            peer(task["X"][:50], task["y"][:50], seed)
        start = time.process_time()
        says = peer(task["X"], task["y"], seed)
        seconds = time.process_time() - start
        log_prob, draws = says(task["X_test"], task["y_test"])
        print(peer.__name__, path.stem, f"{seconds:.1f} s", flush=True)
        said = {"draws": draws, "fit_seconds": seconds}
        said |= {} if log_prob is None else {"log_prob": log_prob}
        np.savez(folder / path.name, **said)


def scores(task, said):
    from skcvae.metrics import energy_score

    score = {
        "energy_score": energy_score(task["y_test"], said["draws"]),
        "fit_seconds": float(said["fit_seconds"]),
    }
    return score | ({"nll": float(-said["log_prob"].mean())} if "log_prob" in said else {})


def scored(name, cache, splits):
    """Return the scores of what a peer was asked so far, by task and split; the truth's NLL."""
    found = {}
    for path, task_name, split in tasks(cache, splits):
        task, said = np.load(path), cache / name / path.name
        if said.exists():
            found.setdefault(task_name, {})[str(split)] = scores(task, np.load(said))
        elif name == "truth" and "true_log_prob" in task:
            nll = float(-task["true_log_prob"].mean())
            found.setdefault(task_name, {})[str(split)] = {"nll": nll}
    return found


def shared(record, name):
    """Return the splits of a task that all have done who have done any."""
    done = [set(found[name]) for found in record.values() if name in found]
    return sorted(set.intersection(*done)) if done else []


def spread(scores, measure):
    """Return the mean over splits, with its standard error where there are several."""
    values = np.array([score[measure] for score in scores if measure in score])
    if not len(values):
        return ""
    if measure == "fit_seconds":
        return f"{values.mean():.1f}"
    error = f" +- {values.std(ddof=1) / np.sqrt(len(values)):.2f}" if len(values) > 1 else ""
    return f"{values.mean():.2f}{error}"


def table(record):
    measures = {
        "nll": "Negative log-likelihood, nats per row",
        "energy_score": "CRPS; of joint outputs the energy score, in units of y",
        "fit_seconds": "CPU seconds of the fit, one thread",
    }
    lines = [
        "Packages, untuned, on the same splits: mean +- standard error over splits.",
        f"Lower is better everywhere. CRPS and energy score are of {DRAWS} draws.",
    ]
    for measure, title in measures.items():
        for outputs, names in (("single", SINGLE), ("joint", JOINT)):
            ruler = "  ".join(["=" * 10, *["=" * 15] * len(names)])
            head = "  ".join(["peer".ljust(10), *[name.rjust(15) for name in names]])
            splits = {name: shared(record, name) for name in names}
            rows = {
                peer: [
                    spread(
                        [found[name][i] for i in splits[name]] if name in found else [], measure
                    )
                    for name in names
                ]
                for peer, found in record.items()
            }
            rows["splits"] = [str(len(splits[name])) for name in names]
            lines += ["", f"{title}; {outputs} outputs.", "", ruler, head, ruler]
            lines += [
                "  ".join([row.ljust(10), *[cell.rjust(15) for cell in cells]])
                for row, cells in rows.items()
                if any(cells)
            ]
            lines.append(ruler)
    return "\n".join([*lines, ""])


def write_table(args):
    path = args.out / "peers.json"
    before = json.loads(path.read_text())["scores"] if path.exists() else {}
    asked = [name for name in PEERS if (args.cache / name).exists()]
    new = {name: scored(name, args.cache, args.splits) for name in ("truth", *asked)}
    record = {name: {**before, **new}[name] for name in ("truth", *PEERS) if name in before | new}
    args.out.mkdir(exist_ok=True)
    written = {"scores": record, "draws": DRAWS, "machine": platform.machine()}
    path.write_text(json.dumps(written, indent=2) + "\n")
    path.with_suffix(".txt").write_text(table(record))
    print(table(record))


def main():
    args = parse()
    args.cache.mkdir(exist_ok=True)
    for step in args.steps:
        if step == "tasks":
            write_tasks(args)
        elif step == "table":
            write_table(args)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of optimisers and effective sample sizes
                ask(PEERS[step], args.cache / step, tasks(args.cache, args.splits))


if __name__ == "__main__":
    main()
