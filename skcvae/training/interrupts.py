"""Ctrl-C in training, told from callbacks that end it: both raise KeyboardInterrupt in skorch."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end training as planned: skorch stops on KeyboardInterrupt."""


@dataclass
class Interrupts:
    """Whether SIGINT raised KeyboardInterrupt: callbacks of skorch raise it to stop training.

    While they are held, interrupts are noted and not raised.
    """

    received: bool = False
    held: bool = False

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note interrupts; Python raises them in the main thread only."""
        is_main = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGINT) if is_main else None

        def note(number, frame):
            try:
                before(number, frame)
            except KeyboardInterrupt:
                self.received = True
                if not self.held:
                    raise

        try:
            if callable(before):  # neither ignored nor handled outside Python
                signal.signal(signal.SIGINT, note)
            yield
        finally:
            if is_main and signal.getsignal(signal.SIGINT) is note:
                signal.signal(signal.SIGINT, before)
