"""Posteriors of simulators: draws of parameters given observations, told from exact ones.

    OMP_NUM_THREADS=1 python benchmarks/simulators.py --data sbibm_reference.npz

Six tasks of the benchmark for simulation-based inference (Lueckmann, Boelts, Greenberg,
Goncalves and Macke, 2021). The file holds ``NAME__observation`` and ``NAME__reference``, ten
observations and draws from their exact posteriors, of the first three; those of the others are
drawn here, as their posteriors have a closed form. For each task 10,000 parameters are drawn from
the prior and simulated, and ``CVAERegressor(random_state=seed)``, with no other parameter set, is
fitted to parameters given simulated data; with `--ends` it is told those of the last three,
whose priors are uniform, by ``likelihood=LogitNormal(low, high)``. Written is the C2ST of its
draws for each observation, as many as there are reference draws: the accuracy, in five-fold
cross-validation, of a multilayer perceptron that tells them from the reference; 0.5 is best. The
classifier is that of the benchmark.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from record import write
from scipy.integrate import odeint
from scipy.stats import truncnorm
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcvae import CVAERegressor
from skcvae.likelihoods import LogitNormal

N_SIMULATIONS = 10_000
NPE = {"gaussian_linear": 0.552, "sir": 0.680, "lotka_volterra": 0.997}  # published, as many runs


def gaussian_linear(rng, n_rows):
    """Return ten means, and ten numbers around them."""
    theta = rng.normal(scale=np.sqrt(0.1), size=(n_rows, 10))
    return theta, theta + rng.normal(scale=np.sqrt(0.1), size=theta.shape)


def sir(rng, n_rows):
    """Return rates of contact and recovery, and infected of 1,000 persons, every 17 days."""
    theta = np.exp(rng.normal(np.log([0.4, 0.125]), [0.5, 0.2], size=(n_rows, 2)))
    return theta, np.stack([rng.binomial(1000, infected(*row)) for row in theta])


def infected(contact, recovery, n_persons=1e6):
    def rates(state, _):
        susceptible, ill = state
        caught = contact * susceptible * ill / n_persons
        return -caught, caught - recovery * ill

    states = odeint(rates, (n_persons - 1, 1.0), np.arange(0, 160, 17))
    return np.clip(states[:, 1] / n_persons, 0, 1)


def lotka_volterra(rng, n_rows):
    """Return four rates, and noisy numbers of prey and predators, every 2.1 days."""
    theta = np.exp(rng.normal([-0.125, -3, -0.125, -3], 0.5, size=(n_rows, 4)))
    animals = np.stack([populations(row) for row in theta])
    return theta, animals * np.exp(0.1 * rng.normal(size=animals.shape))


def populations(theta):
    births, eaten, deaths, fed = theta

    def rates(state, _):
        prey, predators = state
        return (births - eaten * predators) * prey, (fed * prey - deaths) * predators

    states = odeint(rates, (30.0, 1.0), np.arange(0, 20, 2.1))
    return states.T.ravel().clip(1e-10, 10_000)


# Tasks with a uniform prior, and draws of their posteriors: of the noise, where it leads to a
# parameter that the prior allows.


def gaussian_linear_uniform(rng, n_rows):
    """Return ten means, and ten numbers around them."""
    theta = rng.uniform(-1, 1, size=(n_rows, 10))
    return theta, theta + rng.normal(scale=np.sqrt(0.1), size=theta.shape)


def gaussian_linear_uniform_posterior(rng, x, n_draws):
    noise = truncnorm((-1 - x) / np.sqrt(0.1), (1 - x) / np.sqrt(0.1), loc=x, scale=np.sqrt(0.1))
    return noise.rvs(size=(n_draws, 10), random_state=rng)


def gaussian_mixture(rng, n_rows):
    """Return two means, and two numbers around them, with a scale of 1 or 0.1."""
    theta = rng.uniform(-10, 10, size=(n_rows, 2))
    return theta, theta + wide_or_narrow(rng, n_rows)


def wide_or_narrow(rng, n_rows):
    return rng.normal(size=(n_rows, 2)) * rng.choice([1, 0.1], size=(n_rows, 1))


def gaussian_mixture_posterior(rng, x, n_draws):
    theta = x - wide_or_narrow(rng, 10 * n_draws)
    return theta[(np.abs(theta) < 10).all(axis=1)][:n_draws]


def two_moons(rng, n_rows):
    """Return two parameters, and a point of a crescent that they move."""
    theta = rng.uniform(-1, 1, size=(n_rows, 2))
    moved = np.c_[-np.abs(theta.sum(axis=1)), theta[:, 1] - theta[:, 0]] / np.sqrt(2)
    return theta, crescent(rng, n_rows) + moved


def crescent(rng, n_rows):
    angle, radius = rng.uniform(-np.pi / 2, np.pi / 2, n_rows), rng.normal(0.1, 0.01, n_rows)
    return np.c_[radius * np.cos(angle) + 0.25, radius * np.sin(angle)]


def two_moons_posterior(rng, x, n_draws):
    moved = np.sqrt(2) * (x - crescent(rng, 50 * n_draws))
    total, difference = moved[moved[:, 0] < 0].T  # of the parameters, up to a sign
    total = total * rng.choice([-1, 1], size=total.shape)
    theta = np.c_[total - difference, total + difference] / 2
    return theta[(np.abs(theta) < 1).all(axis=1)][:n_draws]


TASKS = {"gaussian_linear": gaussian_linear, "sir": sir, "lotka_volterra": lotka_volterra}
POSTERIORS = {
    gaussian_linear_uniform: gaussian_linear_uniform_posterior,
    gaussian_mixture: gaussian_mixture_posterior,
    two_moons: two_moons_posterior,
}
TASKS |= {simulator.__name__: simulator for simulator in POSTERIORS}
END = {"gaussian_linear_uniform": 1, "gaussian_mixture": 10, "two_moons": 1}
N_OBSERVATIONS, N_DRAWS, OBSERVATION_SEED = 10, 5000, 2021


def given(task, path):
    """Return ten observations of a task, and draws from their posteriors."""
    if TASKS[task] not in POSTERIORS:
        file = np.load(path)
        return file[f"{task}__observation"], file[f"{task}__reference"]
    rng = np.random.default_rng(OBSERVATION_SEED)
    _, observations = TASKS[task](rng, N_OBSERVATIONS)
    posterior = POSTERIORS[TASKS[task]]
    return observations, np.stack([posterior(rng, x, N_DRAWS) for x in observations])


def c2st(draws, reference, seed=1):
    """Return the accuracy of a classifier that tells draws from the reference."""
    width = 10 * draws.shape[1]
    network = MLPClassifier((width, width), max_iter=10_000, random_state=seed)
    rows = np.r_[draws, reference]
    labels = np.repeat([0, 1], [len(draws), len(reference)])
    folds = KFold(5, shuffle=True, random_state=seed)
    classifier = make_pipeline(StandardScaler(), network)
    return float(cross_val_score(classifier, rows, labels, cv=folds).mean())


def measured(task, seed, observations, references, **params):
    """Return the C2ST of each observation, and the seconds of the fit."""
    theta, data = TASKS[task](np.random.default_rng(seed), N_SIMULATIONS)
    start = time.process_time()
    est = CVAERegressor(**params, random_state=seed).fit(data, theta)
    seconds = time.process_time() - start
    draws = est.sample(observations, n_samples=references.shape[1], random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = [c2st(draws[:, i], reference) for i, reference in enumerate(references)]
    return {"c2st": found, "fit, CPU s": seconds}


def table(record):
    lines = [f"{'task':35s}{'C2ST':>8s}{'NPE':>8s}{'fit, CPU s':>12s}"]
    for task, seeds in record.items():
        c2sts = np.mean([found["c2st"] for found in seeds.values()])
        seconds = np.mean([found["fit, CPU s"] for found in seeds.values()])
        npe = f"{NPE[task]:8.3f}" if task in NPE else " " * 8
        lines.append(f"{task:35s}{c2sts:8.3f}{npe}{seconds:12.0f}   {len(seeds)} seeds")
    lines.append(
        "C2ST: mean of ten observations, 10,000 simulations; 0.5 is best. NPE: published."
    )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    parser.add_argument("--ends", action="store_true", help="give those of uniform priors")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    path = args.out / "simulators.json"
    record = json.loads(path.read_text())["tasks"] if path.exists() else {}
    for task in args.tasks:
        name, params = task, {}
        if args.ends:
            name += ", ends given"
            params["likelihood"] = LogitNormal(-END[task], END[task])
        for seed in args.seeds:
            found = measured(task, seed, *given(task, args.data), **params)
            record.setdefault(name, {})[str(seed)] = found
            write(path, {"tasks": record}, table(record))


if __name__ == "__main__":
    main()
