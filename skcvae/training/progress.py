"""Progress on one live line of stderr, where there is somebody to look at it."""

import sys

from tqdm import tqdm


def is_live() -> bool:
    """Return whether a line on stderr can be overwritten: in a terminal or a notebook."""
    stream = sys.stderr
    in_notebook = type(stream).__module__.startswith("ipykernel.")
    return in_notebook or (stream is not None and stream.isatty())


def line(title: str | None, total: int, unit: str, *, done: int = 0, delay: float = 0.0) -> tqdm:
    """Return a live line of tqdm's, which is one of text in notebooks too."""
    return tqdm(
        total=total,
        initial=done,
        desc=title,
        unit=unit,
        delay=delay,
        dynamic_ncols=True,
        disable=title is None or not is_live(),
    )
