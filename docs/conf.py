"""Sphinx configuration."""

import skcvae

project = "skcvae"
author = "the skcvae developers"
release = version = skcvae.__version__

extensions = [
    "numpydoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
html_theme = "pydata_sphinx_theme"
exclude_patterns = ["_build"]
# Members of these base classes, and of theirs, are documented elsewhere.
INHERITED = "BaseEstimator,Module,_MetadataRequester"
autosummary_generate = True
autodoc_default_options = {
    "members": True,
    "inherited-members": INHERITED,
    "exclude-members": "set_fit_request, set_predict_request, set_score_request",
}
numpydoc_show_class_members = False
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated",
    "doc_module": "skcvae",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
}
