"""The Sphinx configuration: ``tox -e docs`` builds the site."""

from importlib.metadata import version as installed_version

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
