"""Latent variables at several scales: the cost of a step, and what they buy.

    python benchmarks/latent_scales.py step
    python benchmarks/latent_scales.py bits
    python benchmarks/latent_scales.py cells

"step" times a step of training of a CVAE of images given images at 32, 64 and 128 pixels, turn by
turn in one process: one scale with the default channels, one scale with as many levels as three
scales have, two and three scales, and three scales written by hand, the same layers without
distributions or estimators. Times are the process's own, on one thread, medians in milliseconds.

"bits" has images of 8 x 8 pixels of twelve independent cells and four corners that are all on or
all off, a bit of coarse structure and twelve of detail, 13 ln 2 = 9.01 nats: the share of draws
with like corners, an eighth by chance, CLL, and the KL term of each scale, for each seed.

"cells" has the made cells of the example "Ten experts, ten outlines", whose experts count a
neighbour in or not, and draw tight or wide outlines: CLL in nats and the generalised energy
distance of draws from the experts, for several seeds, with the KL terms of the scales at the end.
"""

import argparse
import itertools
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from record import standard_error, write, write_by_seed
from torch import nn
from torch.nn import functional as F

from skcvae import CVAERegressor, Training
from skcvae.architectures import Conv
from skcvae.data.coding import Scaling
from skcvae.likelihoods import Bernoulli
from skcvae.metrics import generalized_energy_distance, sample_diversity
from skcvae.objectives import ELBO
from skcvae.priors import Gaussian
from skcvae.specification import Specification
from skcvae.training.net import ObjectiveModule

RESULTS = Path(__file__).parent / "results"
STEPS = {32: 16, 64: 8, 128: 4}  # side, and rows of a batch
MODELS = {
    "one scale": (1, 0.0),
    "one scale, global": (1, 0.0),
    "three scales": (3, 0.0),
    "three scales, free nats": (3, 0.5),
}
LEVELS = (16, 32, 32, 32)  # 16, 8, 4 and 2 pixels


# The cost of a step.


def objective_of(architecture, side):
    architecture = architecture.resolve(100, (side, side), (side, side))
    coding = Scaling.identity((side, side))
    specification = Specification(
        architecture, Bernoulli(), coding, coding, prior=Gaussian(), recognition=True,
        latent_shape=architecture.latent_shape("auto", (side, side)),
    )  # fmt: skip
    return ObjectiveModule(specification.build(), ELBO())


def conv(n_in, n_out, stride=1, bias=True):
    layer = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=bias)
    return layer.to(memory_format=torch.channels_last)


class Encoder(nn.Module):
    """Features of images at all levels, and numbers of z from the top down."""

    def __init__(self, n_in, channels, n_latents, n_scales):
        super().__init__()
        pairs = zip([n_in, *channels[1:]], channels[1:], strict=False)
        self.down = nn.ModuleList(conv(a, b, 2) for a, b in pairs)
        self.last = conv(channels[-1], channels[-1])
        top_down = channels[::-1][:n_scales]
        pairs = list(itertools.pairwise(top_down))
        self.up = nn.ModuleList(conv(a, b) for a, b in pairs)
        self.enter = nn.ModuleList(conv(n_latents, b, bias=False) for _, b in pairs)
        self.first, self.second = (nn.ModuleList(conv(c, c) for c in top_down) for _ in range(2))
        self.head = nn.ModuleList(conv(c, 2 * n_latents) for c in top_down)

    def levels(self, h):
        found = []
        for layer in self.down[:-1]:
            found.append(h := F.relu(layer(h)))
        found.append(F.relu(self.last(F.relu(self.down[-1](h)))))
        return found[::-1]

    def numbers(self, i, features, h, z):
        if i:
            size = features.shape[-2:]
            h, z = F.interpolate(h, size), F.interpolate(z, size)
            features = F.relu(self.up[i - 1](h) + self.enter[i - 1](z) + features)
        h = F.relu(features + self.second[i](F.relu(self.first[i](features))))
        loc, raw = self.head[i](h).chunk(2, 1)
        return h, loc, F.softplus(raw + 0.5413) + 1e-3


class ByHand(nn.Module):
    """Three scales, written by hand."""

    def __init__(self, channels, n_latents, n_scales):
        super().__init__()
        self.prior, self.recognition = (
            Encoder(n_in, channels, n_latents, n_scales) for n_in in (1, 2)
        )
        pairs = zip([1, *channels[1:]], channels[1:], strict=False)
        self.down = nn.ModuleList(conv(a, b, 2) for a, b in pairs)
        self.last, self.mix = conv(channels[-1], channels[-1]), conv(channels[-1], channels[-1])
        pairs = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.up = nn.ModuleList(conv(a, b) for a, b in pairs)
        self.skip = nn.ModuleList(
            conv(a, b, bias=False)
            for a, (_, b) in zip([*channels[-2:0:-1], 1], pairs, strict=True)
        )
        self.enter = nn.ModuleList(
            conv(n_latents, c, bias=False) for c in channels[::-1][:n_scales]
        )
        self.out = conv(channels[0], 1)
        self.n_scales = n_scales

    def forward(self, x, y, noise):
        x, y = x[:, None], y[:, None]
        of_x, of_both = self.prior.levels(x), self.recognition.levels(torch.cat([x, y], 1))
        h_p = h_q = z = None
        kl, drawn = 0.0, []
        for i, eps in enumerate(noise):
            h_p, loc_p, scale_p = self.prior.numbers(i, of_x[i], h_p, z)
            h_q, loc_q, scale_q = self.recognition.numbers(i, of_both[i], h_q, z)
            ratio, deviation = scale_q / scale_p, (loc_q - loc_p) / scale_p
            term = 0.5 * (ratio.square() + deviation.square()) - ratio.log() - 0.5
            kl = kl + term.flatten(1).sum(1)
            drawn.append(z := loc_q + scale_q * eps)
        logits = self.decode(x, drawn)
        log_p = -F.binary_cross_entropy_with_logits(logits, y, reduction="none")
        return (kl - log_p.flatten(1).sum(1)).mean()

    def decode(self, x, drawn):
        seen, h = [x], x
        for layer in self.down[:-1]:
            seen.append(h := F.relu(layer(h)))
        h = F.relu(self.last(F.relu(self.down[-1](h))))
        h = F.relu(self.mix(h) + self.enter[0](drawn[0]))
        for i, (up, skip) in enumerate(zip(self.up, self.skip, strict=True), start=1):
            features = seen[-i]
            h = up(F.interpolate(h, features.shape[-2:])) + skip(features)
            if i < self.n_scales:
                h = h + self.enter[i](drawn[i])
            h = F.relu(h)
        return self.out(h)


def step_of(network, loss):
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def contenders(side):
    n_rows = STEPS[side]
    x, y = torch.randn(n_rows, side, side), torch.rand(n_rows, side, side)
    deep = Conv(n_latent_scales=3).resolve(100, (side, side), (side, side))
    architectures = {
        "one scale": Conv(linear_features=False),
        "one scale, as deep": Conv(deep.channels, linear_features=False),
        "two scales": Conv(n_latent_scales=2),
        "three scales": deep,
    }
    steps, sizes = {}, {}
    for name, architecture in architectures.items():
        module = objective_of(architecture, side)
        noise = torch.randn(1, n_rows, *module.model.noise_shape)

        def loss(module=module, noise=noise):
            bound = module((x, y), noise)
            return (bound.total_kl - bound.reconstruction).mean()

        steps[name] = step_of(module, loss)
        sizes[name] = sum(weight.numel() for weight in module.parameters())
    by_hand = ByHand(deep.channels, 4, 3)
    noise = [torch.randn(n_rows, 4, *size) for size in deep.latent_sizes()]
    steps["three scales, by hand"] = step_of(by_hand, lambda: by_hand(x, y, noise))
    sizes["three scales, by hand"] = sum(weight.numel() for weight in by_hand.parameters())
    return steps, sizes


def time_steps(n_rounds):
    torch.set_num_threads(1)
    found = {}
    for side in STEPS:
        steps, sizes = contenders(side)
        times = {name: [] for name in steps}
        for _ in range(n_rounds + 2):
            for name, step in steps.items():
                start = time.process_time()
                step()
                times[name].append(1000 * (time.process_time() - start))
        found[side] = {
            name: {"ms": statistics.median(times[name][2:]), "weights": sizes[name]}
            for name in steps
        }
    lines = [f"{'':>24}" + "".join(f"{side:>7} px" for side in STEPS) + "   weights at 32"]
    for name in found[32]:
        numbers = "".join(f"{found[side][name]['ms']:10.1f}" for side in STEPS)
        lines.append(f"{name:>24}{numbers}{found[32][name]['weights']:16,}")
    ours, by_hand = ([found[s][n]["ms"] for s in STEPS] for n in list(found[32])[-2:])
    ratios = "".join(f"{a / b:10.2f}" for a, b in zip(ours, by_hand, strict=True))
    lines.append(f"{'three, ours / by hand':>24}{ratios}")
    write(RESULTS / "latent_scales_step.json", {"steps": found}, "\n".join(lines) + "\n")


# What they buy: a coarse bit and many local ones.


BITS = {
    "one map, 4": ((8, 16), 1, 0.0),
    "maps of 2 and 4": ((8, 16, 16), 2, 0.0),
    "2 and 4, free nats": ((8, 16, 16), 2, 0.5),
    "maps of 1, 2 and 4": ((8, 16, 16, 16), 3, 0.0),
    "1, 2 and 4, free nats": ((8, 16, 16, 16), 3, 0.5),
}


def make_bits(n_rows, seed):
    rng = np.random.default_rng(seed)
    on = rng.integers(0, 2, (n_rows, 4, 4))
    on[:, ::3, ::3] = on[:, :1, :1]
    return rng.normal(size=(n_rows, 1)), np.kron(on, np.ones((1, 2, 2), int))


def of_bits(name, seed):
    channels, n_scales, free_nats = BITS[name]
    est = CVAERegressor(
        architecture=Conv(channels, n_latent_scales=n_scales, linear_features=False),
        likelihood="bernoulli", latent_dim=2, objective=ELBO(free_nats), max_epochs=40,
        batch_size=32, early_stopping=False, random_state=seed, device="cpu",
    ).fit(*make_bits(600, 0))  # fmt: skip
    X, y = make_bits(200, 1)
    draws = est.sample(X, 20, random_state=0, observation_noise=False)
    corners = (draws[..., ::6, ::6] > 0.5).sum((-1, -2))
    last, scales = est.history_[-1], range(1, n_scales + 1)
    return {
        "like corners": float(np.isin(corners, (0, 4)).mean()),
        "CLL": est.score(X, y),
        "KL": [last.get(f"train_kl_scale_{i}", last["train_kl"]) for i in scales],
    }


def table_of_bits(cases):
    lines = [f"{'':>24}{'seed':>6}{'like corners':>14}{'CLL':>8}   KL of the scales"]
    for name, by_seed in cases.items():
        for seed, row in by_seed.items():
            numbers = f"{row['like corners']:14.2f}{row['CLL']:8.2f}   "
            kl = " ".join(f"{nats:.2f}" for nats in row["KL"])
            lines.append(f"{name:>24}{seed:>6}{numbers}{kl}")
    return "\n".join(lines) + "\n"


# What they buy, on made cells.


def discs(centre, radius):
    rows, columns = np.indices((16, 16))
    distance = np.hypot(rows - centre[..., 0, None, None], columns - centre[..., 1, None, None])
    return distance < radius[..., None, None]


def make_cells(n_images, rng):
    """Return images and ten outlines of each, as in examples/images/plot_ten_experts.py."""
    centre, radius = rng.uniform(5, 10, (n_images, 2)), rng.uniform(2.5, 3.5, n_images)
    angle, contrast = rng.uniform(0, 2 * np.pi, n_images), rng.uniform(0, 1, n_images)
    direction = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    beside, small = centre + (radius + 1)[:, None] * direction, np.full(n_images, 2.0)
    image = np.maximum(discs(centre, radius), contrast[:, None, None] * discs(beside, small))
    image = image + rng.normal(scale=0.1, size=image.shape)
    included = rng.random((n_images, 10)) < contrast[:, None]
    margin = 0.8 * rng.integers(0, 2, (n_images, 10))
    cell = discs(centre[:, None], radius[:, None] + margin)
    neighbour = discs(beside[:, None], small[:, None] + margin)
    return image, (cell | neighbour & included[..., None, None]).astype(int)


def of_cells(name, seed):
    rng = np.random.default_rng(seed)
    (X, y), (X_test, y_test) = make_cells(400, rng), make_cells(100, rng)
    n_scales, free_nats = MODELS[name]
    channels = LEVELS[:2] if name == "one scale" else LEVELS
    start = time.process_time()
    est = CVAERegressor(
        architecture=Conv(channels, n_latent_scales=n_scales, linear_features=False),
        annotations=True, likelihood="bernoulli", objective=ELBO(free_nats), max_epochs=12,
        batch_size=64, training=Training(lr_schedule="one_cycle", n_threads=1),
        random_state=seed, device="cpu",
    ).fit(X, y)  # fmt: skip
    seconds = time.process_time() - start
    experts = y_test.swapaxes(0, 1)
    draws = est.sample(X_test, 30, random_state=0, observation_noise=False) > 0.5
    last, scales = est.history_[-1], range(1, n_scales + 1)
    return {
        "energy distance": generalized_energy_distance(experts, draws.astype(int)),
        "diversity": sample_diversity(draws.astype(int)),
        "CLL": est.score(X_test, y_test),
        "KL": [last.get(f"train_kl_scale_{i}", last["train_kl"]) for i in scales],
        "seconds": seconds,
    }


def table(cases):
    digits = {"energy distance": 3, "diversity": 3, "CLL": 2, "seconds": 1}
    lines = [f"{'':>24}" + "".join(f"{name:>15}" for name in digits) + "  KL of scales"]
    for name, by_seed in cases.items():
        line = f"{name:>24}"
        for column, n in digits.items():
            values = [row[column] for row in by_seed.values()]
            line += f"{f'{np.mean(values):.{n}f} +- {standard_error(values):.{n}f}':>15}"
        kl = np.mean([row["KL"] for row in by_seed.values()], axis=0)
        lines.append(line + "  " + " ".join(f"{nats:.2f}" for nats in kl))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("step", "bits", "cells"))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    if args.what == "step":
        time_steps(args.rounds)
    elif args.what == "bits":
        path = RESULTS / "latent_scales_bits.json"
        write_by_seed(path, BITS, args.seeds, of_bits, table_of_bits)
    else:
        write_by_seed(RESULTS / "latent_scales_cells.json", MODELS, args.seeds, of_cells, table)


if __name__ == "__main__":
    main()
