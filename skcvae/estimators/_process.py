"""The second stage of a fit whose prior is a process over the rows."""

import math

import torch
from skorch.callbacks import Callback
from torch import Tensor

from skcvae.data.batches import Rows, StreamedRows
from skcvae.data.coding import FORWARD_ROWS, slices
from skcvae.data.neighborhoods import NeighborhoodBatches
from skcvae.estimators._second_training import next_net
from skcvae.model import Conditional, Model
from skcvae.objectives import ELBO
from skcvae.priors.process import Others
from skcvae.training.history import join
from skcvae.training.net import ObjectiveModule


class ProcessModule(ObjectiveModule):
    """A model under an objective whose prior at a training row is the process given the others."""

    def __init__(self, *args):
        super().__init__(*args)
        self.others = Others(self.model.prior.family)

    def forward(self, arrays, noise, given=None, index=None):
        if index is not None:
            prior = self.others.prior(index, self.model.recognition(*arrays))
            features = self.model.generation.given(arrays[0])
            # Not by `condition`, which would evaluate the process given all rows.
            given = Conditional(prior, lambda z: self.model.output(features(z)), list)
        return super().forward(arrays, noise, given)


class Conditioning(Callback):
    """Renew the codes of all training rows before each epoch, and before each validation."""

    def __init__(self, rows: Rows | StreamedRows):
        self.rows = rows

    def on_epoch_begin(self, net, **kwargs):
        condition(net.module.model, self.rows)
        net.module.others.renew()
        self.is_due = True

    def on_batch_begin(self, net, training=False, **kwargs):
        if self.is_due and not training:
            condition(net.module.model, self.rows)
            self.is_due = False


def stages(estimator, parts):
    """Return the objectives of both stages; refuse what a process does not go with."""
    wanted = {"initial_guess": False, "omission": 0, "warm_start": False}
    for name, expected in wanted.items():
        if getattr(estimator, name, expected) != expected:
            raise _refusal(parts, f"{name}={expected}", f"{name}={getattr(estimator, name)!r}")
    if getattr(parts.architecture, "bins", None) is not None:
        got = f"architecture={parts.architecture!r}"
        raise _refusal(parts, "an architecture with bins=None, as no network reads x alone", got)
    if parts.training.accelerator is not None:
        raise _refusal(parts, "accelerator=None", "an accelerator")
    if parts.device == "mps":
        raise _refusal(parts, "a device with float64", "device='mps'")
    if not parts.objective.uses_recognition:
        expected = "an objective with a recognition network, such as 'elbo'"
        raise _refusal(parts, expected, f"objective={parts.objective!r}")
    if len(estimator._shape_names) < 2:
        raise _refusal(parts, "an estimator with inputs to condition on", type(estimator).__name__)
    return ELBO(), parts.objective


def _refusal(parts, expected, got):
    return ValueError(f"prior={parts.prior!r} expects {expected}, got {got}.")


def finetune(estimator, parts, selection, rows, validation):
    """Choose the kernel, yield a net to train under the process; return all rows, to condition it.

    After an interrupt in the first stage nothing more is trained. Until rows held out have been
    scored, the process is conditioned on the rows to train on alone.
    """
    first, model = estimator.net_, estimator.net_.module.model
    process, (x, mean, scale) = model.prior.family, codes_of(model, rows)
    codes = mean / scale.sqrt() if process.encoder_scale else mean
    prior = parts.prior.resolve(x.numpy(), codes.numpy(), parts.seed)
    process.kernel = prior.kernel
    condition(model, rows)
    if not first.interrupted:
        estimator.net_ = yield from _trained(estimator, parts, model, rows, validation)
        join(first.history, estimator.net_)
        condition(model, rows)
    whole = estimator.specification_.rows(selection, parts.device)
    estimator.specification_ = estimator.specification_._replace(prior=prior, n_context=len(whole))
    return whole


def _trained(estimator, parts, model, rows, validation):
    """Yield the net of the second stage and its rows; return it once it is trained."""
    module = ProcessModule(model, parts.finetuned, estimator.n_train_samples)
    held, conditioning = (parts, module, rows, validation), [Conditioning(rows)]
    net = next_net(estimator, *held, conditioning, stage="process")
    net.iterator_train = NeighborhoodBatches
    yield net, rows
    return net


def condition(model: Model, rows: Rows | StreamedRows) -> None:
    """Condition the process of a model on the codes of rows."""
    process = model.prior.family
    process.condition(*(part.to(rows.device) for part in codes_of(model, rows)))
    model.row_size = max(model.row_size, math.prod(process.out_shape))


@torch.no_grad()
def codes_of(model: Model, rows: Rows | StreamedRows) -> tuple[Tensor, Tensor, Tensor]:
    """Return x of all rows, and mean and scale of their codes, as flat rows on the CPU."""
    parts, mode = [], model.training
    model.eval()
    for block in slices(len(rows), FORWARD_ROWS):
        (x, y), _ = rows[block]
        codes = model.recognition(x, y)
        parts.append([part.flatten(1).cpu() for part in (x, codes.mean, codes.stddev)])
    model.train(mode)
    return tuple(map(torch.cat, zip(*parts, strict=True)))
