"""Arrays as images of a grid: layouts, colours and labels, checked."""

import numpy as np

from skcvae.data.checks import has_channels_last
from skcvae.data.label_names import array_of, known
from skcvae.displays._axes import axes_for, pyplot

MOST_ROWS = 20  # larger grids are not readable
LABELS = "iubOU"  # kinds of the dtypes of labels
UNKNOWN = "#a6cee3"  # distinct from greys and from the colours of labels


def check_rows(n_rows):
    if n_rows > MOST_ROWS:
        raise ValueError(
            f"X must have at most {MOST_ROWS} rows, one per row of the grid, got {n_rows}. Select "
            "some, such as X[:5] and y[:5]."
        )


def check_length(name, given, draws, axis, of="draws"):
    if given is not None and len(given) != draws.shape[axis]:
        raise ValueError(
            f"{name} must have length {draws.shape[axis]} for {of} of shape {draws.shape}, "
            f"got {len(given)}."
        )


def outputs_as_images(name, y, draws, joined):
    """Check that outputs have the shape of a draw, and return them as images."""
    y = array_of(y)
    if y.shape != draws.shape[1:]:
        raise ValueError(
            f"{name} must have shape {draws.shape[1:]} for draws of shape {draws.shape}, "
            f"got {y.shape}."
        )
    return as_images(name, y if joined is None else joined(y))


def inputs_as_images(X, draws, joined):
    """Return inputs as images, with missing y if they are joined, or None if not images."""
    if joined is None:
        return _with_masks(X) if np.ndim(X) > 2 else None
    unknown = np.full(draws.shape[1:], None if draws.dtype.kind in "OU" else np.nan)
    images = as_images("join(X, y)", joined(unknown))
    return images if known(images).any() else None


def _with_masks(X):
    """Return inputs as images; those of 2 or 4 channels are an image and a mask, channels last."""
    X = np.asarray(X)
    if X.ndim != 4 or X.shape[1] not in (2, 4):
        return as_images("X", X)
    parts = np.split(X, [X.shape[1] - 1], axis=1)
    images = [as_images("X", part) for part in parts]
    return np.concatenate([part.reshape(*part.shape[:3], -1) for part in images], axis=-1)


def input_columns(X):
    """Return the titles and the images of inputs: one column, or an image and its mask."""
    if X.ndim == 3 or X.shape[-1] == 3:
        return [("input", X)]
    image = X[..., 0] if X.shape[-1] == 2 else X[..., :3]
    return [("input", image), (f"channel {X.shape[-1]}", X[..., -1])]


def as_images(name, array):
    """Return images in the layout of imshow: (n, height, width) or (n, height, width, 3)."""
    array = np.asarray(array)
    if array.ndim == 4 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 4 and array.shape[1] == 3:
        if name in ("X", "y", "y_true") and not 0 <= np.nanmin(array) <= np.nanmax(array) <= 1:
            raise ValueError(
                f"{name} must have colours in [0, 1], got values from {np.nanmin(array)} to "
                f"{np.nanmax(array)}. Divide bytes by 255 before fit."
            )
        return np.moveaxis(array, 1, -1).clip(0, 1)
    if has_channels_last(array.shape[1:]):
        raise ValueError(
            f"{name} has shape {array.shape}, images with channels last, expected channels first: "
            f"np.moveaxis({name}, -1, 1)."
        )
    if array.ndim == 4:
        allowed, advice = _some_channels(name, array.shape[1])
        raise ValueError(
            f"{name} must be images of shape (n_rows, channels, height, width) with {allowed} "
            f"channels, got {array.shape}. {advice}"
        )
    if array.ndim != 3:
        raise ValueError(
            f"{name} must be images of shape (n_rows, height, width) or (n_rows, channels, "
            f"height, width) with 1 or 3 channels, got {array.shape}. If images are flattened, "
            "pass join=lambda X, y: y.reshape(-1, height, width)."
        )
    return array


def _some_channels(name, n_channels):
    """Return the numbers of channels that can be plotted, and how to plot some of them."""
    if name == "X":
        return "1 to 4", "Plot some of them by from_predictions(X[:, :1], ...)."
    n_shown = 3 if n_channels == 4 else 1
    return "1 or 3", f"Plot an image without its mask by join=lambda X, y: y[:, :{n_shown}]."


def names_of_labels(given, maps):
    """Return the names of labels, by default the labels as text."""
    found = {label for part in maps for label in part[known(part)].tolist()}
    if len({isinstance(label, str) for label in found}) > 1:
        raise ValueError(
            "y_true, predictions and draws must have labels of one kind, got both texts and "
            f"numbers, {sorted(found, key=str)[:5]}."
        )
    found = sorted(found)
    names = {_whole(k): str(_whole(k)) for k in found} if given is None else given
    if not set(found) <= set(names):
        raise ValueError(f"label_names must have a name for all labels {found}, got {given!r}.")
    return names


def _whole(label):
    """Return a label that is a whole number as an integer, others unchanged."""
    return int(label) if isinstance(label, float) else label


def numbered(maps, label_names):
    """Return label maps as positions in `label_names`; NaN if missing."""
    numbers = np.full(maps.shape, np.nan)
    for number, label in enumerate(label_names):
        numbers[maps == label] = number
    return numbers


def look_of_labels(display, label_names):
    """Return keywords for label maps as positions in `label_names`."""
    colours = pyplot(type(display).__name__).get_cmap("viridis", len(label_names))
    return {"cmap": colours, "vmin": -0.5, "vmax": len(label_names) - 0.5}


def legend_of_labels(image, label_names):
    """Plot a legend of the labels of an image below its figure; without names there is none."""
    from matplotlib.patches import Patch

    patches = [
        Patch(color=image.cmap(image.norm(number)), label=name)
        for number, name in enumerate((label_names or {}).values())
    ]
    kw = {"loc": "outside lower center", "ncols": len(patches), "frameon": False}
    return image.figure.legend(handles=patches, **kw) if patches else None


def grey(images):
    """Return keywords for grey images, with limits 0 and 1 or those of the data."""
    low, high = np.nanmin(images), np.nanmax(images)
    inside = 0 <= low and high <= 1
    return {"cmap": "gray", "vmin": 0 if inside else low, "vmax": 1 if inside else high}


def show_grid(display, ax, columns, size, row_names=None, fontsize="medium", margin=0.3):
    """Plot columns of (title, images, look); an image may be None, `size` is that of a column."""
    n_rows, height, width = size
    names_width = 0.09 * max(map(len, row_names or [""]))
    size = (0.95 * len(columns) + names_width, 0.95 * height / width * n_rows + margin)
    display.ax_ = axes_for(ax, (n_rows, len(columns)), display, figsize=size)
    display.figure_ = display.ax_[0, 0].figure
    display.images_ = np.empty(display.ax_.shape, dtype=object)
    for j, (title, images, look) in enumerate(columns):
        display.ax_[0, j].set_title(title, fontsize=fontsize)
        for i, image in enumerate(images):
            if image is None:
                display.ax_[i, j].set_axis_off()
            else:
                display.images_[i, j] = show_image(display.ax_[i, j], image, look)
    for first, name in zip(display.ax_[:, 0], row_names or [], strict=False):
        first.set_ylabel(name, rotation=0, ha="right", va="center")


def show_image(ax, image, look):
    """Plot an image in a thin frame, with missing pixels in light blue."""
    from matplotlib.colors import to_rgb

    if image.ndim == 3:
        image = np.where(np.isnan(image).any(-1, keepdims=True), to_rgb(UNKNOWN), image)
    drawn = ax.imshow(image, **look)
    drawn.set_cmap(drawn.get_cmap().with_extremes(bad=UNKNOWN))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color="0.7", linewidth=0.5)
    return drawn
