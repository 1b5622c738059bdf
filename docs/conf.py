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
autosummary_generate = True
numpydoc_show_class_members = False
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated",
    "doc_module": "skcvae",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
}
