"""How Sphinx makes the documentation: ``tox -e docs``."""

from importlib.metadata import version as installed_version

project = "schlenk"
author = "the schlenk authors"
copyright = f"2026, {author}"
version = release = installed_version("schlenk")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

# A method without words of its own would be given Werkzeug's.
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "alabaster"
html_theme_options = {"description": "What belongs to one request, kept apart", "fixed_sidebar": True}
