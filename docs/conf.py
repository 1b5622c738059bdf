"""Sphinx configuration."""

import inspect
import re
import tomllib
from importlib.resources import files
from pathlib import Path

from sphinx_gallery.sorting import ExplicitOrder

import skcvae

project = "skcvae"
author = "the skcvae developers"
copyright = author
release = version = skcvae.__version__

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
URLS = PROJECT["project"]["urls"]

extensions = [
    "numpydoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_title = "skcvae"
html_show_sourcelink = False
html_theme_options = {
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
    # Scripts of the gallery need the room for their code.
    "secondary_sidebar_items": {
        pages: ["page-toc"] for pages in ("*", "guide/*", "generated/*", "auto_examples/index")
    },
    # Those of pyproject.toml that lead elsewhere.
    "external_links": [
        {"name": name, "url": url} for name, url in URLS.items() if name != "Documentation"
    ],
}
# Pages without pages below them have no list of these.
ALONE = ["index", "choices", "score", "benchmarks", "alternatives", "whats_new"]
ALONE += ["contributing", "releasing"]
html_sidebars = {page: [] for page in ALONE}
html_css_files = ["site.css"]
html_favicon = "_root/favicon.ico"
html_extra_path = ["_root"]  # browsers ask for /favicon.ico

# Formulas are drawn without a network: MathJax, one file of it, from a package that carries it.
mathjax_path = "tex-svg.js"
MATHJAX = files("sphinx-mathjax-offline") / "static/mathjax" / mathjax_path
html_static_path = ["_static", str(MATHJAX)]

autosummary_generate = True
numpydoc_show_class_members = False
python_maximum_signature_line_length = 80  # longer ones have a line for each parameter
toc_object_entries_show_parents = "hide"  # methods by their own names, which are not cut off

# Every reference of the project's own must be found.
nitpicky = True
nitpick_ignore_regex = [
    # Other projects' inventories would have to be downloaded.
    (r"py:.*", r"(joblib|matplotlib|numpy|pandas|scipy|sklearn|skorch|torch|collections)\..*"),
    # How X and y are coded and rows are trained on is internal, and named in signatures alone.
    (r"py:class", r"skcvae\.(data|training|documented|fitted|specification)\..*"),
    # What torch says of `forward`, where a module adds nothing to it.
    (r"py:class", r"Module"),
]

BETWEEN_WORDS = re.compile(r"(?<=[._])(?=\w)|(?<=[A-Za-z])(?=[A-Z][a-z])")
REFERENCE = re.compile(r":(?:term|ref):`([^`<]*[^`< ]) *(?:<[^`]*>)?`")

# The order in which the gallery teaches: folders, and examples; those not listed come at the star.
SECTIONS = ["first_steps", "checks", "models", "images", "rows_alone", "in_use"]
GALLERY = [
    "plot_two_branches.py",
    "plot_pandas_intervals.py",
    "plot_joint_uncertainty.py",
    "plot_sample_paths.py",
    "plot_quadrant_completion.py",
    "plot_calibration.py",
    "plot_importance_sampling.py",
    "plot_outliers.py",
    "plot_conformal_regions.py",
    "plot_ensemble.py",
    "plot_hold_out.py",
    "plot_priors.py",
    "plot_choose_alpha.py",
    "plot_unused_latents.py",
    "plot_label_conditioned_digits.py",
    "plot_face_completion.py",
    "plot_segmentation_uncertainty.py",
    "plot_label_completion.py",
    "plot_omission_and_scales.py",
    "plot_attribute_progression.py",
    "plot_colorization.py",
    "plot_anomalies.py",
    "plot_autoencoders.py",
    "plot_latent_regression.py",
    "plot_grid_on_a_cluster.py",
    "plot_save_and_serve.py",
    "*",
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/backreferences",
    "doc_module": "skcvae",
    "subsection_order": ExplicitOrder([*(f"../examples/{name}" for name in SECTIONS), "*"]),
    "within_subsection_order": ExplicitOrder(GALLERY),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "thumbnail_size": (640, 400),
    "write_computation_times": False,
}


def setup(app):
    """Let a build run no example: with ``-D plot_gallery=0`` pages lack their pictures."""
    app.connect("config-inited", _allow_missing_pictures)
    app.connect("autodoc-process-docstring", _without_references)
    app.connect("autodoc-process-signature", _with_parameters)
    app.connect("html-page-context", _break_title)


def _break_title(app, page, template, context, doctree):
    """Let the title of an object's page break between words, CVAE and Regressor."""
    if page.startswith("generated/"):
        start, title, end = re.split(r"(?<=<h1>)([^<]+)", context["body"], maxsplit=1)
        context["body"] = start + BETWEEN_WORDS.sub("<wbr>", title) + end


def _with_parameters(app, what, name, obj, options, signature, returns):
    """Show the parameters of classes whose `__new__`, which checks their names, takes any."""
    if what == "class" and signature == "(*args, **kwargs)":
        return str(inspect.signature(obj)), returns


def _without_references(app, what, name, obj, options, lines):
    """Show references of scikit-learn's docstrings, to its own pages, as text."""
    module = getattr(getattr(obj, "fget", obj), "__module__", None) or ""
    if module.startswith("sklearn."):
        lines[:] = [REFERENCE.sub(r"``\1``", line) for line in lines]


def _allow_missing_pictures(app, config):
    if str(config.plot_gallery) in ("0", "False"):  # a text where it comes from -D
        config.suppress_warnings.append("image.not_readable")
