"""The releases of extensions that are tried, with what they need besides Flask."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """A release of an extension.

    :param name: its name on PyPI.
    :param version: its version.
    :param requirements: what to install with it. None of them may require Flask.
    :param needs_flask: whether it uses parts of Flask that schlenk does not have, such as templates and blueprints.
    :param beside: other extensions that it uses, with their versions.
    """

    name: str
    version: str
    requirements: tuple[str, ...] = ()
    needs_flask: bool = False
    beside: tuple[tuple[str, str], ...] = ()

    @property
    def job(self) -> str:
        """The name of its job, which all releases of an extension share."""
        return self.name.lower().replace("-", "_")

    @property
    def without_requirements(self) -> tuple[tuple[str, str], ...]:
        """The names and versions that are installed without what they require, as they require Flask."""
        return ((self.name, self.version), *self.beside)


RELEASES = (
    Release("Flask-SQLAlchemy", "2.5.1", ("sqlalchemy<2",)),
    Release("Flask-SQLAlchemy-Session", "1.1", ("sqlalchemy<2",)),
    Release("Flask-Login", "0.5.0"),
    Release("Flask-Login", "0.6.2"),
    Release("Flask-Executor", "0.10"),
    Release("Flask-WTF", "1.0.1", ("wtforms",), needs_flask=True),
    Release("Flask-Babel", "2.0.0", ("babel", "jinja2", "pytz"), needs_flask=True),
    Release("Flask-Caching", "1.10.1", ("cachelib", "jinja2"), needs_flask=True),
    Release("Flask-HTTPAuth", "4.8.0"),
    Release("Flask-Session", "0.4.0", ("cachelib",)),
)
