"""The epochs of several fits at once, with the callbacks, the history and the end of each."""

from collections.abc import Callable
from typing import NamedTuple

from skcvae.data.stacked import StackedBatches, beside
from skcvae.training.history import record
from skcvae.training.interrupts import StopTraining
from skcvae.training.net import Net, end, released
from skcvae.training.stack import StackedNets

KEPT_IDLE = 0.75  # a stack is made anew where fewer of its members are still in training


class Fit(NamedTuple):
    """A net, its rows, and what iterates over them."""

    net: Net
    rows: object
    validation: object
    batches: object
    validation_batches: object

    @classmethod
    def of(cls, net: Net, rows) -> "Fit":
        """Return a fit that has not begun."""
        rows, validation = net.get_split_datasets(rows)
        validation_batches = validation and net.get_iterator(validation, training=False)
        batches = net.get_iterator(rows, training=True)
        return cls(net, rows, validation, batches, validation_batches)

    def notify(self, event: str) -> None:
        """Call the net's callbacks as skorch's loop does."""
        data = {"dataset_train": self.rows, "dataset_valid": self.validation}
        if event.startswith("on_train"):
            data = {"X": self.rows, "y": None}
        self.net.notify(event, **data)

    def record(self, prefix: str, totals: list[float]) -> None:
        """Record the sums over an epoch in the history."""
        rows = self.rows if prefix == "train" else self.validation
        record(self.net, prefix, rows, totals)


class StackTraining:
    """The epochs of several fits at once; a fit that has ended, or failed, leaves."""

    def __init__(self, fits: list[Fit]):
        self.fits = fits
        self.going = set(range(len(fits)))
        self.errors: dict[int, BaseException] = {}

    def run(self) -> None:
        """Train until all fits have ended; an interrupt ends all."""
        first, *others = nets = [fit.net for fit in self.fits]
        for net in others:
            net.interrupts = first.interrupts
        with first.interrupts.noted(), first.threads(len(nets)), released(*nets):
            self._epochs()
            for i, fit in enumerate(self.fits):
                if i not in self.errors:
                    self._attempt(i, lambda fit=fit: end(fit.net, fit.rows))

    def _epochs(self) -> None:
        self.tell("on_train_begin")
        self._load(StackedNets([fit.net for fit in self.fits]), list(range(len(self.fits))))
        try:
            while self.going:
                self._epoch()
        except KeyboardInterrupt:
            for i in self.going:
                self.fits[i].net.interrupted = True
        self.stack.release()

    def _load(self, stack: StackedNets, members: list[int]) -> None:
        """Prepare the batches of the fits in the stack."""
        self.stack, self.members = stack, members
        fits = [self.fits[i] for i in members]
        self.batches = StackedBatches([fit.batches for fit in fits])
        validates = fits[0].validation is not None
        batches = [fit.validation_batches for fit in fits] if validates else []
        self.validation_batches = [beside(parts) for parts in zip(*batches, strict=True)]

    def _epoch(self) -> None:
        """Run one epoch, and let fits leave the stack where enough of them have ended."""
        self.tell("on_epoch_begin")
        self._record("train", self.stack.train(self.batches))
        if self.validation_batches:
            self._record("valid", self.stack.validate(self.validation_batches))
        self.tell("on_epoch_end")
        nets = {i: self.fits[i].net for i in self.members}
        self.going -= {i for i, net in nets.items() if len(net.history) >= net.max_epochs}
        kept = [place for place, i in enumerate(self.members) if i in self.going]
        if 0 < len(kept) < KEPT_IDLE * len(self.members):
            self.stack.release()
            self.stack.keep(kept)
            self._load(self.stack, [self.members[place] for place in kept])

    def _record(self, prefix: str, totals: list[list[float]]) -> None:
        for i, total in zip(self.members, totals, strict=True):
            if i in self.going:
                self.fits[i].record(prefix, total)

    def tell(self, event: str) -> None:
        """Notify the callbacks of all fits that have not ended."""
        for i in sorted(self.going):
            self._attempt(i, lambda i=i: self.fits[i].notify(event))

    def _attempt(self, i: int, act: Callable[[], None]) -> None:
        """Act for one fit, which ends where a callback asks for it or an error is raised."""
        try:
            act()
        except StopTraining:
            self.going.discard(i)
        except Exception as error:
            self.errors[i] = error
            self.going.discard(i)


def train_stack(nets: list[Net], rows: list) -> list[BaseException | None]:
    """Train initialised nets of one kind at once; return the error of each, or None.

    If interrupted before the first epoch of a net has ended, KeyboardInterrupt is raised.
    """
    training = StackTraining(list(map(Fit.of, nets, rows)))
    training.run()
    return [training.errors.get(i) for i in range(len(nets))]
