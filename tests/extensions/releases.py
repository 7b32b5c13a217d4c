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
    :param as_in_flask_1: the features of ``install_under_flask()`` that it needs.
    :param beside: other extensions that it uses, with their versions.
    """

    name: str
    version: str
    requirements: tuple[str, ...] = ()
    needs_flask: bool = False
    as_in_flask_1: tuple[str, ...] = ()
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
    Release("Flask-SQLAlchemy", "2.5.1", ("gevent", "sqlalchemy<2")),
    Release("Flask-SQLAlchemy-Session", "1.1", ("sqlalchemy<2",)),
    Release("Flask-Login", "0.5.0"),
    Release("Flask-Login", "0.6.2"),
    Release("Flask-Executor", "0.10"),
    Release("Flask-WTF", "1.0.1", ("wtforms",), needs_flask=True),
    Release("Flask-Babel", "2.0.0", ("babel", "jinja2", "pytz"), needs_flask=True),
    Release("Flask-Caching", "1.10.1", ("cachelib", "jinja2"), needs_flask=True),
    Release("Flask-HTTPAuth", "4.8.0"),
    Release("Flask-Session", "0.4.0", ("cachelib",)),
    Release("Flask-Principal", "0.4.0", ("blinker",)),
    Release(
        "Flask-RESTful",
        "0.3.9",
        ("aniso8601", "pytz", "six"),
        needs_flask=True,
        # Its parser reads JSON even if the request is a form.
        as_in_flask_1=("request.json",),
    ),
    Release("Flask-Mail", "0.9.1", ("blinker",)),
    Release("Flask-Limiter", "1.5", ("limits", "setuptools<81", "six"), needs_flask=True),
    Release(
        "Flask-Migrate", "3.1.0", ("alembic", "sqlalchemy<2"), needs_flask=True, beside=(("Flask-SQLAlchemy", "2.5.1"),)
    ),
    Release("Flask-Talisman", "1.0.0", needs_flask=True),
    Release("Flask-MySQL", "1.5.2", ("pymysql",)),
    Release("Flask-Redmail", "0.1.0", ("redmail", "jinja2"), needs_flask=True),
    Release("Flask-MySQLdb", "1.0.1"),
    Release("Flask-SeaSurf", "1.1.1", needs_flask=True, as_in_flask_1=("request.json",)),
    Release("Flask-Bouncer", "0.3", ("bouncer",)),
    Release("Flask-AD-Auth", "0.8.2", ("requests",), beside=(("Flask-Login", "0.5.0"),)),
)
