"""A temperature: a factor of the noise scale of y, which the rows held out choose.

Networks trained on few rows have seen their errors, and take them to be smaller than those on
other rows. A factor of all scales mends that, as one of the logits does for a classifier (Guo,
Pleiss, Sun and Weinberger, 2017, *On Calibration of Modern Neural Networks*, ICML).
"""

from torch import Tensor, nn

from skcvae.data.batches import Rows, StreamedRows
from skcvae.training.net import Net
from skcvae.training.validation import by_group, lowest_gain, row_scores

N_STEPS = 4  # from 1 to 2, or to 1/2
FEW_ROWS = 10  # fewer held out may all be near their means by chance
N_ERRORS = 2.0  # by which a step has to be better than the one before
SOME_ROWS, DISTINCT = 10_000, 0.1  # of which a tenth differ, or more, where y has a density


def temperatures(model: nn.Module) -> list[Tensor]:
    """Return the temperatures of the output of a model, one for each learned scale."""
    named = model.output.named_buffers() if hasattr(model, "output") else ()
    return [buffer for name, buffer in named if name.endswith("temperature")]


def set_temperature(model: nn.Module, temperature: float) -> bool:
    """Set the temperature of the output of a model; return whether there is one to set."""
    found = temperatures(model)
    for buffer in found:
        buffer.fill_(temperature)
    return bool(found)


def choose_temperature(net: Net, rows: Rows | StreamedRows, held_out: Rows | StreamedRows) -> None:
    """Set the temperature that is best for rows held out, or leave 1.

    It moves away from 1 in steps of 2^(1/4) while each is better than the one before by twice the
    standard error of the difference, and below 1 if ten rows are held out. It stays 1 where an
    output has few distinct values: the densest model of these is not the best one.
    """
    model, chosen = net.module.model, 1.0
    try:
        if not set_temperature(model, 1.0) or not has_density(rows):
            return
        with net.threads():
            best, weight = row_scores(net, held_out)
            for direction in (1, -1) if len(held_out) >= FEW_ROWS else (1,):
                for step in range(1, N_STEPS + 1):
                    temperature = 2.0 ** (direction * step / N_STEPS)
                    set_temperature(model, temperature)
                    score = row_scores(net, held_out)[0]
                    if lowest_gain(*by_group(held_out, score - best, weight), N_ERRORS) <= 0:
                        break  # the likelihood has one maximum
                    best, chosen = score, temperature
    except KeyboardInterrupt:
        net.interrupted = True
    finally:
        set_temperature(model, chosen)
    if chosen != 1:
        cll = float(weight @ best / weight.sum()) + held_out.log_jacobian[0]
        for row in net.history:
            row["temperature_cll"] = cll


def has_density(rows: Rows | StreamedRows) -> bool:
    """Return whether outputs are vectors, none of which has few distinct values."""
    y = rows[slice(SOME_ROWS)][0][-1]
    if y.ndim > 2:
        return False
    seen = (column[~column.isnan()] for column in y.T)
    return all(len(column.unique()) >= DISTINCT * len(column) for column in seen)
