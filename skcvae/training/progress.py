"""A live progress line on stderr, if that is interactive."""

import sys

from tqdm import tqdm


def is_live() -> bool:
    """Return whether a line on stderr can be overwritten: in a terminal or a notebook."""
    stream = sys.stderr
    in_notebook = type(stream).__module__.startswith("ipykernel.")
    return in_notebook or (stream is not None and stream.isatty())


def line(title: str | None, total: int, unit: str, *, done: int = 0, delay: float = 0.0) -> tqdm:
    """Return a progress line of tqdm, in plain text also in notebooks."""
    return tqdm(
        total=total,
        initial=done,
        desc=title,
        unit=unit,
        delay=delay,
        dynamic_ncols=True,
        disable=title is None or not is_live(),
    )
