"""Make the output and the figures of README and of pages again, from the code that they show.

    OMP_NUM_THREADS=1 python docs/run_pages.py [PAGE ...]

runs the Python blocks of each page in order. What a block prints, the progress line of a fit
included, goes into the ``text`` block after it; the figure it draws goes into the file below
``docs/_static/pages`` that the page shows after it. README's code also makes the front page's
figure (``front_figure.py``). All pages take some minutes on one core.
"""

import contextlib
import io
import os
import re
import sys
from pathlib import Path

import front_figure
import matplotlib.pyplot as plt

DOCS = Path(__file__).parent
README = DOCS.parent / "README.rst"
NAMES = ("tour", "sequences", "anomalies", "missing_values", "displays")
PAGES = [README, *(DOCS / "guide" / f"{name}.rst" for name in NAMES)]
PARTS = re.compile(
    r"^\.\. code-block:: (?P<language>python|text)\n\n(?P<block>(?:    .*\n|\n)+)"
    r"|^\.\. figure:: \.\./(?P<figure>_static/pages/\w+\.png)$",
    re.M,
)


def run(code, names):
    """Run code in a namespace; return what it printed, on both streams."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        exec(code, names)
    return out.getvalue()


def indented(text):
    return "".join(f"    {line}".rstrip() + "\n" for line in text.rstrip().splitlines())


def run_page(path):
    """Write output and figures of a page's code; return the names that the code leaves."""
    names, printed = {}, ""

    def replaced(part):
        nonlocal printed
        if part["language"] == "python":
            printed = run(re.sub(r"^    ", "", part["block"], flags=re.M), names)
        elif part["language"] == "text":
            return f".. code-block:: text\n\n{indented(printed)}\n"
        elif part["figure"]:
            plt.savefig(DOCS / part["figure"], dpi=100, bbox_inches="tight")
            plt.close("all")
        return part[0]

    path.write_text(PARTS.sub(replaced, path.read_text()))
    return names


if __name__ == "__main__":
    os.environ["MPLBACKEND"] = "agg"
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else PAGES:
        print(path)
        names = run_page(path)
        if path.resolve() == README.resolve():
            front_figure.draw(names["est"], names["X_test"], names["y_test"])
