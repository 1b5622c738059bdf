"""The specification of a model: all that follows from parameters and data but the weights."""

import math
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from skcvae.architectures.base import latent_vector
from skcvae.autoencoder import EncoderDecoder, encoder_decoder
from skcvae.data.batches import Rows, Selection, StreamedRows
from skcvae.data.checks import (
    are_sequences,
    check_observed,
    check_scales,
    check_without_inputs,
    row_shape,
    warn_of_channels,
)
from skcvae.data.coding import FORWARD_ROWS, Scaling, as_images, slices
from skcvae.data.gaps import Flagged
from skcvae.data.items import sampled
from skcvae.data.labels import OneHot
from skcvae.data.pooling import pooled, pooled_shape
from skcvae.data.table import Table
from skcvae.data.tails import Tails
from skcvae.distributions import MIN_SCALE, DiagonalGaussian, GaussianHierarchy
from skcvae.inference.partial import Partial
from skcvae.likelihoods import RealOutputs
from skcvae.model import (
    BaselineNetwork,
    GivenNothing,
    LearnedPrior,
    Model,
    Output,
    PriorNetwork,
    RecognitionNetwork,
    StandardPrior,
)
from skcvae.priors.process import Process

Shape = tuple[int, ...]


class Specification(NamedTuple):
    """Codings, resolved parameter objects and sizes, from which the networks are built.

    Every size in the architecture and the likelihood is a number. Codings are from the user's
    units of X and y to the networks'.
    """

    architecture: object
    likelihood: object
    x_coding: Scaling | Tails | Flagged | None  # None with nothing to condition on
    y_coding: Scaling | OneHot | Table
    prior: object = None  # None in a model without z
    latent_shape: Shape | None = None  # of z for one row
    initial_guess: bool = False  # whether a baseline network feeds the prior and the output
    recognition: bool = False  # whether there is a recognition network
    partial_y: bool = False  # whether y may have NaN entries
    n_scales: int = 1  # number of resolutions at which y is predicted in training
    noiseless: bool = False  # whether z is E[z|x] always
    code_activation: str | None = None  # of an autoencoder; None in a model of a density
    n_context: int = 0  # number of rows that a Gaussian process prior is conditioned on
    annotations: bool = False  # whether a row of the user's y has several of what is modelled

    @property
    def codings(self) -> tuple:
        """The codings of X and y, or of y alone."""
        return (self.y_coding,) if self.x_coding is None else (self.x_coding, self.y_coding)

    @property
    def n_outputs(self) -> int:
        """The numbers, or labels, of a row of y."""
        return math.prod(self.y_coding.row_shape)

    def rows(self, selection: Selection, device: str) -> Rows | StreamedRows:
        """Return encoded rows on a device, or read on demand where they are too many."""
        return self.streamed(selection, device).resident()

    def streamed(self, selection: Selection, device: str) -> StreamedRows:
        """Return rows that are encoded on demand: a few of many are read."""
        return StreamedRows(selection, self.codings, device, self.log_jacobian)

    def build(self) -> Model | EncoderDecoder:
        """Return the untrained networks; random numbers come from torch's generator."""
        *x_shapes, y_shape = map(attrgetter("code_shape"), self.codings)
        if self.code_activation is not None:
            (n_components,) = self.latent_shape
            return encoder_decoder(
                self.architecture, y_shape, n_components, activation=self.code_activation
            )
        likelihoods = []
        for halvings in range(self.n_scales):
            shape = pooled_shape(y_shape, halvings) if halvings else y_shape
            likelihood = self.likelihood.build(shape)
            likelihoods.append(Partial(likelihood) if self.partial_y else likelihood)
        if self.latent_shape is None:
            return Model(**self._baseline(*x_shapes, y_shape, likelihoods))
        return self._latent_model(x_shapes, y_shape, likelihoods)

    def _baseline(self, x_shape: Shape, y_shape: Shape, likelihoods: list[nn.Module]) -> dict:
        """Return the baseline network, and output layers for each resolution."""
        baseline = BaselineNetwork(self.architecture, x_shape, y_shape, self.n_scales)
        output, *coarse = (
            Output(self.architecture, shape, likelihood)
            for shape, likelihood in zip(baseline.scale_shapes, likelihoods, strict=True)
        )
        return {"output": output, "baseline": baseline, "coarse": coarse}

    def _latent_model(
        self, x_shapes: list[Shape], y_shape: Shape, likelihoods: list[nn.Module]
    ) -> Model:
        """Return the networks of a model with z, with a baseline network if there is a guess."""
        architecture, prior = self.architecture, self._prior_family()
        if isinstance(prior, Process):
            prior.allocate(self.n_context, *x_shapes)
            generation = GivenNothing(architecture.decoder(y_shape, None, self.latent_shape))
        else:
            generation = architecture.decoder(y_shape, *x_shapes or [None], self.latent_shape)
        parts = self._baseline(*x_shapes, y_shape, likelihoods) if self.initial_guess else {}
        if self.recognition:
            proposal = prior
            if not isinstance(prior, DiagonalGaussian | GaussianHierarchy):
                scales = getattr(prior, "min_scale", MIN_SCALE), getattr(prior, "init_scale", 1.0)
                proposal = DiagonalGaussian(self.latent_shape, *scales)
            read = {"likelihood": likelihoods[0], "partial": self.partial_y}
            shapes = x_shapes, y_shape
            parts["recognition"] = RecognitionNetwork(architecture, *shapes, proposal, **read)
        if not self.initial_guess:
            parts["output"] = Output(architecture, generation.out_shape, likelihoods[0])
        if prior.parameter_shape is None:
            parts["prior"] = StandardPrior(prior)
        elif x_shapes:
            in_shapes = [*x_shapes, y_shape] if self.initial_guess else x_shapes
            parts["prior"] = PriorNetwork(architecture, in_shapes, prior)
        else:
            parts["prior"] = LearnedPrior(prior)
        return Model(**parts, generation=generation, noiseless=self.noiseless)

    def _prior_family(self) -> nn.Module:
        """Return the module that makes p(z|x), at each of several latent scales."""
        family = self.prior.build(self.latent_shape)
        n_scales = getattr(self.architecture, "n_latent_scales", 1)
        if n_scales == 1:
            return family
        if not isinstance(family, DiagonalGaussian):
            raise ValueError(
                f"n_latent_scales={n_scales} expects prior='gaussian', whose parameters at each "
                f"scale follow from the coarser ones, got prior={self.prior!r}."
            )
        return GaussianHierarchy(family, list(map(math.prod, self.architecture.latent_sizes())))

    def log_jacobian(self, selection) -> tuple[float, float]:
        """Return the mean log-Jacobian of the coding, at full and at coarser resolution."""
        if self.code_activation is not None:  # errors are of encoded rows
            return 0.0, 0.0
        if not self.partial_y and self.n_scales == 1:
            return self.y_coding.log_jacobian().item(), 0.0
        blocks = (selection.read(rows)[-1] for rows in slices(len(selection.index), FORWARD_ROWS))
        gains = np.concatenate([self._log_jacobians(y) for y in blocks], axis=1)
        return tuple(np.average(gains, axis=1, weights=selection.weight).tolist())

    def _log_jacobians(self, y: np.ndarray) -> np.ndarray:
        """Return the log-Jacobian of each row, at full and at coarser resolution: (2, n)."""
        coarse = np.zeros(len(y))
        if self.n_scales > 1 and isinstance(self.y_coding, Scaling):
            images = torch.from_numpy(y.reshape(-1, *self.y_coding.row_shape))
            for halvings in range(1, self.n_scales):
                coding = Scaling(*(_pooled_row(part, halvings) for part in self.y_coding))
                coarse += coding.log_jacobian(pooled(images, halvings).numpy())
        return np.stack([self.y_coding.log_jacobian(y), coarse])


def _pooled_row(row: np.ndarray, halvings: int) -> np.ndarray:
    return pooled(torch.from_numpy(row)[None], halvings)[0].numpy()


def specify(
    X: np.ndarray | None,
    y: np.ndarray,
    weight: np.ndarray | None,
    n_rows: int,
    seed: int,
    *,
    architecture,
    likelihood,
    prior,
    latent_dim: int | str,
    x_shape: Shape | None = None,
    y_shape: Shape | None = None,
    normalize_X: bool = True,
    normalize_y: bool = True,
    partial_X: bool = False,
    **flags,
) -> Specification:
    """Return the specification that follows from parameters and rows.

    `n_rows` is the number of training rows, of which X and y may be a part. X is None where
    there is nothing to condition on; z is then a vector. The likelihood may be given parameters
    that follow from y. The prior is None in a model without z. `flags` are the other fields of
    :class:`Specification`.
    """
    y = y.reshape(-1, *row_shape(y_shape, y, "y_shape"))
    if flags.get("n_scales", 1) > 1:
        check_scales(y.shape[1:], likelihood, **flags)
    if X is not None:
        X = X.reshape(-1, *row_shape(x_shape, X, "x_shape"))
    shapes = [() if X is None else X.shape[1:], y.shape[1:]]
    if max(map(len, shapes)) < 2:  # refuses tables as images, before warnings of columns
        architecture.resolve(n_rows, *shapes)
    y_coding = _coding_of_outputs(
        y,
        weight,
        likelihood,
        is_sequences=are_sequences(y, architecture, "y"),
        is_partial=flags["partial_y"],
        standardise=normalize_y,
        warns_of=None if y_shape is not None else "X" if X is None else "y",
    )
    code_shape = y_coding.code_shape
    if X is None:
        check_without_inputs(architecture)
        architecture = architecture.resolve(n_rows, (), code_shape)
        size = (math.prod(code_shape),)
        (few,) = latent_vector(latent_dim, size)  # a code is short
        shape = architecture.latent_shape(few, size)
        return Specification(architecture, likelihood, None, y_coding, prior, shape, **flags)
    x_coding = _coding_of_inputs(
        X,
        weight,
        is_sequences=are_sequences(X, architecture, "X"),
        is_partial=partial_X,
        standardise=normalize_X,
        is_shaped=x_shape is not None,
    )
    architecture = architecture.resolve(n_rows, x_coding.code_shape, code_shape)
    if hasattr(architecture, "fit_bins") and architecture.bins is not None:
        some = X[sampled(len(X), X[0].size + y[0].size, seed)]
        code = x_coding.to_tensor(some, torch.float32, "cpu")
        architecture = architecture.fit_bins(code.numpy())
    shape = architecture.latent_shape(latent_dim, code_shape) if prior else None
    return Specification(architecture, likelihood, x_coding, y_coding, prior, shape, **flags)


def _coding_of_outputs(y, weight, likelihood, *, is_sequences, is_partial, standardise, warns_of):
    """Return the coding of y; warn of channels by a name, unless the shape was given."""
    if is_partial:
        check_observed(as_images(y) if is_sequences else y, likelihood)
    coding = likelihood.fit_coding(y, weight, normalize=standardise)
    if not isinstance(likelihood, RealOutputs):
        return coding
    if is_sequences:
        return Scaling.fit_sequences(y, weight, "y", standardise=standardise)
    if standardise and warns_of:
        warn_of_channels(y, warns_of)
    return coding


def _coding_of_inputs(X, weight, *, is_sequences, is_partial, standardise, is_shaped):
    """Return the coding of X; warn of channels unless the shape was given."""
    if is_partial:
        check_observed(as_images(X) if is_sequences else X, None, "X")
    if is_sequences:
        coding = Scaling.fit_sequences(X, weight, "X", standardise=standardise)
    else:
        coding = Scaling.fit(X, weight, "X", standardise=standardise, limited=True)
        coding = Tails.fit(coding, X, weight)
        if standardise and not is_shaped:
            warn_of_channels(X, "X")
    return Flagged.fit(coding, X, are_sequences=is_sequences) if is_partial else coding
