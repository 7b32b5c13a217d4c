"""The releases of extensions that are tested, and what they need besides Flask."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """A release of an extension.

    :param name: its name on PyPI.
    :param version: its version.
    :param requirements: the packages to install with it. None of them may require Flask.
    :param needs_flask: whether it uses parts of Flask that schlenk does not have, such as templates and blueprints.
    :param as_in_flask_1: the features of Flask 1 that it needs to be restored.
    :param beside: other extensions that it uses, with their versions.
    :param own_job: the name of its job, if it does not share the one of its extension.
    """

    name: str
    version: str
    requirements: tuple[str, ...] = ()
    needs_flask: bool = False
    as_in_flask_1: tuple[str, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    own_job: str = ""

    @property
    def job(self) -> str:
        """The name of its job."""
        return self.own_job or self.name.lower().replace("-", "_")

    @property
    def label(self) -> str:
        """Its name and version, and which packages it needs in an older release."""
        older = ", ".join(f"`{requirement}`" for requirement in self.requirements if "<" in requirement)
        return f"{self.name} {self.version}" + (f" with {older}" if older else "")

    @property
    def without_requirements(self) -> tuple[tuple[str, str], ...]:
        """The names and versions to install without their requirements, which include Flask."""
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
    Release("Flask-WTF", "0.14.3", ("wtforms<3", "itsdangerous"), needs_flask=True),
    Release("Flask-Login", "0.4.1"),
    Release(
        "Flask-Admin",
        "1.5.8",
        ("sqlalchemy<2", "wtforms<3"),
        needs_flask=True,
        beside=(("Flask-SQLAlchemy", "2.5.1"),),
    ),
    Release(
        "Flask-Security",
        "3.0.0",
        (
            "blinker",
            "email-validator<2",
            "passlib",
            "pytz",
            "babel",
            "speaklater",
            "setuptools<81",
            "sqlalchemy<2",
            "wtforms<3",
        ),
        needs_flask=True,
        beside=(
            ("Flask-BabelEx", "0.9.4"),
            ("Flask-Login", "0.4.1"),
            ("Flask-Mail", "0.9.1"),
            ("Flask-Principal", "0.4.0"),
            ("Flask-SQLAlchemy", "2.5.1"),
            ("Flask-WTF", "0.14.3"),
        ),
    ),
    Release(
        "Flask-User",
        "1.0.2.2",
        ("bcrypt<4.1", "blinker", "cryptography", "email-validator", "passlib", "sqlalchemy<2", "wtforms<3"),
        needs_flask=True,
        beside=(
            ("Flask-Login", "0.4.1"),
            ("Flask-Mail", "0.9.1"),
            ("Flask-SQLAlchemy", "2.5.1"),
            ("Flask-WTF", "0.14.3"),
        ),
    ),
    Release("Flask-JWT", "0.3.2", ("pyjwt<2",)),
    Release("Flask-JWT-Extended", "3.25.1", ("pyjwt<2", "six")),
    Release(
        "Flask-OAuthlib",
        "0.9.6",
        ("blinker", "cachelib", "oauthlib<2.1", "requests", "requests-oauthlib<1.2"),
        # Its server reads the client's name from the header, even if that has none.
        as_in_flask_1=("authorization",),
    ),
    Release(
        "Flask-Dance",
        "3.0.0",
        ("blinker", "oauthlib", "requests", "requests-oauthlib", "six", "urlobject"),
        needs_flask=True,
    ),
    Release("Flask-OpenID", "1.3.0", ("python3-openid",)),
    Release("Flask-KVSession", "0.6.2", ("setuptools<81", "simplekv", "six")),
    Release("Flask-SocketIO", "4.3.2", ("python-engineio<4", "python-socketio<5")),
    Release("Flask-Classful", "0.14.2"),
    Release("Flask-RESTX", "0.2.0", ("aniso8601", "jsonschema<4.18", "pytz", "six", "setuptools<81"), needs_flask=True),
    Release("Flask-RESTX", "0.5.1", ("aniso8601", "jsonschema<4.18", "pytz", "six", "setuptools<81"), needs_flask=True),
    Release("Flask-Smorest", "0.24.1", ("apispec<6", "marshmallow<4", "webargs<9"), needs_flask=True),
    Release("Flask-APISpec", "0.11.0", ("apispec<6", "marshmallow<4", "six", "webargs<9"), needs_flask=True),
    Release(
        "Flask-Marshmallow",
        "0.14.0",
        ("marshmallow<4", "marshmallow-sqlalchemy<1", "setuptools<81", "six", "sqlalchemy<2"),
        beside=(("Flask-SQLAlchemy", "2.5.1"),),
    ),
    Release(
        "Flask-MongoEngine",
        "1.0.0",
        ("email-validator", "mongoengine<0.24", "pymongo<4", "wtforms<3"),
        needs_flask=True,
        beside=(("Flask-WTF", "0.14.3"),),
    ),
    Release(
        "Flask-DebugToolbar",
        "0.11.0",
        ("blinker", "itsdangerous", "sqlalchemy<2", "setuptools<81"),
        needs_flask=True,
        beside=(("Flask-SQLAlchemy", "2.5.1"),),
    ),
    Release("Flask-APScheduler", "1.12.2", ("apscheduler<4", "python-dateutil", "six")),
    Release("Flask-Script", "2.0.6"),
    Release("Flask-Testing", "0.8.1", ("blinker",), needs_flask=True, as_in_flask_1=("location",)),
    Release("Flask-Opentracing", "1.1.0", ("opentracing",)),
    Release("Flask-Log-Request-ID", "0.10.1"),
    Release("Flask-BabelEx", "0.9.4", ("babel", "pytz", "speaklater"), needs_flask=True),
    Release("Flask-Assets", "2.0", ("webassets",), needs_flask=True),
    Release("Flask-Menu", "0.7.2", ("six",), needs_flask=True),
    Release("Flask-Moment", "0.11.0", needs_flask=True),
    Release("Flask-SelfDoc", "1.2.3", needs_flask=True),
    Release("Flask-Bcrypt", "0.7.1", ("bcrypt",)),
    Release(
        "Flask-Bootstrap", "3.3.7.1", ("dominate", "visitor", "wtforms<3"), True, beside=(("Flask-WTF", "0.14.3"),)
    ),
    Release("Flask-CAS", "1.0.2", ("xmltodict",), needs_flask=True),
    Release("Flask-Classy", "0.6.10"),
    Release("Flask-Cognito", "1.18", ("cognitojwt", "python-jose", "requests")),
    Release("Flask-JSON", "0.3.5"),
    Release("Flask-RESTPlus", "0.13.0", ("aniso8601", "jsonschema<4.18", "pytz", "six"), needs_flask=True),
    Release(
        "Flask-Restless",
        "0.17.0",
        ("mimerender", "python-dateutil", "python-mimeparse", "sqlalchemy<1.4"),
        needs_flask=True,
        beside=(("Flask-SQLAlchemy", "2.5.1"),),
    ),
    Release("Flask-Shelve", "0.1.1"),
    Release("Flask-Uploads", "0.2.1", needs_flask=True),
    Release("Flasgger", "0.9.5", ("jsonschema<4.18", "mistune<2", "pyyaml", "six"), needs_flask=True),
    Release(
        "Dash",
        "1.21.0",
        ("brotli", "future", "plotly<6", "setuptools<81"),
        needs_flask=True,
        beside=(
            ("dash-core-components", "1.17.1"),
            ("dash-html-components", "1.1.4"),
            ("dash-table", "4.12.0"),
            ("Flask-Compress", "1.10.1"),
        ),
    ),
    Release("prometheus-flask-exporter", "0.18.7", ("prometheus-client",), needs_flask=True),
    Release("pytest-flask", "1.2.0", ("pytest<8",)),
    Release("sentry-sdk", "0.20.3", ("blinker", "certifi", "urllib3")),
    Release("sentry-sdk", "1.5.0", ("blinker", "certifi", "urllib3")),
    Release("Flask-WTF", "0.15.1", ("wtforms<3", "itsdangerous"), needs_flask=True),
    Release(
        "Flask-Admin",
        "1.6.0",
        ("sqlalchemy<2", "wtforms<3"),
        needs_flask=True,
        beside=(("Flask-SQLAlchemy", "2.5.1"),),
    ),
    Release(
        "Flask-Security-Too",
        "4.1.5",
        ("blinker", "email-validator<2", "passlib", "setuptools<81", "sqlalchemy<2", "wtforms<3"),
        needs_flask=True,
        beside=(
            ("Flask-Login", "0.5.0"),
            ("Flask-Principal", "0.4.0"),
            ("Flask-SQLAlchemy", "2.5.1"),
            ("Flask-WTF", "0.15.1"),
        ),
    ),
    Release("Flask-JWT-Extended", "4.3.1", ("pyjwt<2.5",), own_job="flask_jwt_extended_4"),
    # Its MultiAuth expects None for a token.
    Release("Flask-HTTPAuth", "3.3.0", as_in_flask_1=("authorization",), own_job="flask_httpauth_3"),
    Release("Flask-SocketIO", "5.1.1", ("python-engineio<4.4", "python-socketio<5.6")),
    Release("Flask-RESTX", "0.4.0", ("aniso8601", "jsonschema<4.18", "pytz", "six", "setuptools<81"), needs_flask=True),
    Release(
        "Flask-DebugToolbar",
        "0.13.1",
        ("blinker", "itsdangerous", "sqlalchemy<2", "setuptools<81"),
        needs_flask=True,
        beside=(("Flask-SQLAlchemy", "2.5.1"),),
    ),
    Release("Flask-Limiter", "2.4.0", ("limits<3", "rich", "setuptools<81", "typing-extensions"), needs_flask=True),
    Release(
        "Dash",
        "2.0.0",
        ("brotli", "plotly<6", "setuptools<81"),
        needs_flask=True,
        beside=(
            ("dash-core-components", "2.0.0"),
            ("dash-html-components", "2.0.0"),
            ("dash-table", "5.0.0"),
            ("Flask-Compress", "1.10.1"),
        ),
    ),
    Release(
        "Flask-AppBuilder",
        "3.4.5",
        (
            "apispec[yaml]<4",
            "babel",
            "colorama",
            "email-validator<2",
            "jsonschema<4.18",
            "marshmallow<4",
            "marshmallow-enum",
            "marshmallow-sqlalchemy<0.27",
            "prison",
            "pyjwt<2",
            "python-dateutil",
            "python3-openid",
            "pytz",
            "setuptools<81",
            "six",
            "sqlalchemy<1.5",
            "sqlalchemy-utils",
            "wtforms<3",
        ),
        needs_flask=True,
        beside=(
            ("Flask-Babel", "1.0.0"),
            ("Flask-JWT-Extended", "3.25.1"),
            ("Flask-Login", "0.4.1"),
            ("Flask-OpenID", "1.3.0"),
            ("Flask-SQLAlchemy", "2.5.1"),
            ("Flask-WTF", "0.14.3"),
        ),
    ),
    Release(
        "APIFlask",
        "0.10.1",
        ("apispec<6", "marshmallow<4", "setuptools<81", "six", "webargs<8.3"),
        needs_flask=True,
        beside=(("Flask-HTTPAuth", "4.8.0"), ("Flask-Marshmallow", "0.14.0")),
    ),
    Release("Flask-API", "3.0.post1", needs_flask=True),
    Release(
        "Connexion",
        "2.14.2",
        ("clickclick", "inflection", "jinja2", "jsonschema<4.18", "packaging", "pyyaml", "requests"),
        needs_flask=True,
    ),
    Release("Flask-CeleryExt", "0.3.4", ("celery<5.4", "msgpack")),
    Release(
        "Flask-Cloudy",
        "1.1.0",
        ("apache-libcloud<3.4", "fasteners", "lockfile", "python-slugify", "six"),
        needs_flask=True,
    ),
    Release("Flask-Collect", "1.3.2", needs_flask=True),
    Release(
        "Flask-IIIF",
        "0.6.3",
        ("aniso8601", "blinker", "cachelib", "pillow<10", "pytz", "setuptools<81", "six"),
        needs_flask=True,
        beside=(("Flask-RESTful", "0.3.9"),),
    ),
    Release("Flask-InfluxDB", "0.3.3", ("influxdb", "setuptools<81")),
    Release("Flask-MultiStatic", "1.0", needs_flask=True),
    Release("flask-shell-ipython", "0.4.1", ("click", "ipython<9"), needs_flask=True),
    Release(
        "Flask-WebTest",
        "0.0.9",
        ("blinker", "setuptools<81", "sqlalchemy<2", "webtest"),
        needs_flask=True,
        beside=(("Flask-SQLAlchemy", "2.5.1"),),
    ),
    Release(
        "httpbin",
        "0.7.0",
        ("blinker", "brotlipy", "decorator", "jsonschema<4.18", "mistune<2", "pyyaml", "raven", "setuptools<81", "six"),
        needs_flask=True,
        beside=(("flasgger", "0.9.5"),),
    ),
    Release(
        "Locust",
        "1.4.1",
        ("configargparse", "gevent", "geventhttpclient", "msgpack", "psutil", "pyzmq", "requests", "setuptools<81"),
        needs_flask=True,
        beside=(("Flask-BasicAuth", "0.2.0"),),
    ),
    Release("Flask-Allows", "0.4", needs_flask=True),
    Release("Flask-Babel", "0.12.2", ("babel", "jinja2", "pytz"), needs_flask=True),
    Release("Flask-Session-Plus", "0.6.2", ("pytz",)),
    Release("Flask-Sockets", "0.2.1", ("gevent", "gevent-websocket"), needs_flask=True),
    Release(
        "moto",
        "1.3.16",
        (
            "boto",
            "boto3",
            "cryptography",
            "jinja2",
            "mock",
            "pytz",
            "requests",
            "responses<0.12",
            "setuptools<81",
            "six",
            "xmltodict<0.13",
        ),
        as_in_flask_1=("converters",),
    ),
    Release("rollbar", "0.16.2", ("blinker", "requests", "six")),
    Release("serverless-wsgi", "1.7.6"),
    Release(
        "ddtrace",
        "1.20.19",
        (
            "bytecode",
            "cattrs",
            "ddsketch",
            "envier",
            "opentelemetry-api",
            "protobuf",
            "setuptools<81",
            "six",
            "typing-extensions",
            "xmltodict",
        ),
        needs_flask=True,
    ),
    Release(
        "opentelemetry-instrumentation-flask",
        "0.24b0",
        (
            "opentelemetry-instrumentation-wsgi==0.24b0",
            "opentelemetry-sdk<1.6",
            "opentelemetry-util-http==0.24b0",
            "setuptools<81",
        ),
    ),
)
