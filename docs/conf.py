"""The Sphinx configuration: ``tox -e docs`` builds the site."""

import logging
import sys
from importlib import import_module
from importlib.metadata import version as installed_version
from pathlib import Path

project = "schlenk"
author = "the schlenk authors"
copyright = f"2026, {author}"
version = release = installed_version("schlenk")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

# Inherited methods without a docstring would show Werkzeug's.
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
# Shows a default as it is written, such as _sentinel, instead of the repr of its value.
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

# The inventories are copies, so that a build needs no network. To renew one, download the site's objects.inv.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "inventories/python.inv"),
    "werkzeug": (
        "https://werkzeug.palletsprojects.com/en/stable",
        "inventories/werkzeug.inv",
    ),
    "flask": ("https://flask.palletsprojects.com/en/stable", "inventories/flask.inv"),
}

# Copy what the reader would type: neither prompts nor output.
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = "schlenk"
html_static_path = ["_static"]
html_css_files = ["site.css"]


def write_traces(app, exception):
    """Record the requests whose pages life-of-a-request.md links to."""
    from schlenk.trace import trace

    # The error of the failing request is expected.
    logging.getLogger("failing").disabled = True
    sys.path.insert(0, str(Path(app.srcdir, "examples")))
    pages = Path(app.outdir, "traces")
    pages.mkdir(exist_ok=True)
    for name, path in (("hello", "/?name=Ada"), ("failing", "/cart")):
        traced = import_module(name).app
        # The first request takes longer than those that follow.
        traced.test_client().get(path)
        with trace() as way:
            traced.test_client().get(path, buffered=True)
        (pages / f"{name}.html").write_text(way.to_html(), encoding="utf-8")


def setup(app):
    app.connect("build-finished", write_traces)
