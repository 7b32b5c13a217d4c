"""Functions for views: URLs, responses, flashed messages and streams.

The module also has the functions that read Flask's environment variables, and those that describe a function in an
error message.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterable, Iterator
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Callable, TypeVar, overload
from urllib.parse import quote

from werkzeug import routing
from werkzeug.exceptions import abort
from werkzeug.utils import redirect

from .globals import _app_ctx_stack, _request_ctx_stack, current_app, session
from .missing import ADVICE, missing_from
from .signals import message_flashed
from .streams import stream_in_context

if TYPE_CHECKING:
    from .app import Flask
    from .wrappers import Response

__all__ = [
    "abort", "flash", "get_debug_flag", "get_env", "get_flashed_messages", "get_load_dotenv", "get_root_path",
    "make_response", "redirect", "stream_with_context", "url_for",
]  # fmt: skip

T = TypeVar("T")


class BuildError(routing.BuildError):
    """Werkzeug's ``BuildError``, with a message that names the application and the endpoint that was probably meant.

    :param error: the error that Werkzeug raised.
    :param app: the application whose endpoints were searched.
    """

    def __init__(self, error: routing.BuildError, app: Flask) -> None:
        super().__init__(error.endpoint, error.values, error.method, error.adapter)
        self.app = app

    def __str__(self) -> str:
        endpoints = {rule.endpoint for rule in self.app.url_map.iter_rules()}
        if self.endpoint in endpoints:
            return super().__str__()
        message = f"The application {self.app.name!r} has no endpoint {self.endpoint!r}, so its URL cannot be built."
        similar = difflib.get_close_matches(self.endpoint, endpoints, n=1)
        if similar:
            return f"{message} Did you mean {similar[0]!r}?"
        if self.endpoint == "static":
            return f"{message} {ADVICE}"
        return f"{message} If another application has it, build the URL in a context of that application."


def url_for(endpoint: str, **values: Any) -> str:
    """Build the URL of an endpoint.

    :param endpoint: the name of the endpoint. A leading dot is accepted as in Flask, where it stands for the current
        blueprint.
    :param values: the values of the variables in the rule. Other values are added to the query string. These names
        have a special meaning:

        - ``_external``: whether to build an absolute URL, with scheme and host. The default is ``False`` during a
          request and ``True`` otherwise.
        - ``_scheme``: the scheme of an absolute URL, in place of the request's or ``PREFERRED_URL_SCHEME``.
        - ``_anchor``: the fragment, which is appended after ``#``.
        - ``_method``: build the URL of the rule for this HTTP method.

    :raises RuntimeError: there is no application context, or neither a request context nor ``SERVER_NAME``.
    :raises AttributeError: the ``Host`` header of the current request is invalid.
    :raises BuildError: the application has no rule for the endpoint and values, and no function in
        ``app.url_build_error_handlers`` returned a URL.
    :raises ValueError: ``_scheme`` is given for a relative URL.

    >>> from schlenk import Flask
    >>> app = Flask(__name__)
    >>> app.add_url_rule("/user/<name>", "user")
    >>> with app.test_request_context():
    ...     url_for("user", name="ada", page=2), url_for("user", name="ada", _external=True)
    ('/user/ada?page=2', 'http://localhost/user/ada')
    """
    app_context = _app_ctx_stack.top
    request_context = _request_ctx_stack.top
    if app_context is None:
        raise RuntimeError(
            f"Working outside of application context, so the URL of {endpoint!r} cannot be built. Outside a request, "
            "call url_for() in a `with app.app_context():` block."
        )
    adapter = app_context.url_adapter if request_context is None else request_context.url_adapter
    if adapter is None and request_context is None:
        raise RuntimeError(
            f"The URL of {endpoint!r} cannot be built outside a request, because SERVER_NAME is not set. Set it in the "
            "configuration, with APPLICATION_ROOT and PREFERRED_URL_SCHEME if needed. It is required even with "
            "_external=False."
        )
    if request_context is not None and endpoint.startswith("."):
        blueprint = request_context.request.blueprint
        endpoint = endpoint[1:] if blueprint is None else f"{blueprint}{endpoint}"

    external = values.pop("_external", request_context is None)
    anchor = values.pop("_anchor", None)
    method = values.pop("_method", None)
    scheme = values.pop("_scheme", None)
    app = app_context.app
    app.inject_url_defaults(endpoint, values)
    if scheme is not None and not external:
        raise ValueError(f"The URL of {endpoint!r} is relative: _scheme={scheme!r} requires _external=True.")
    if adapter is None:
        raise AttributeError(
            f"The URL of {endpoint!r} cannot be built, because the host of the current request is invalid."
        )
    try:
        # Raised and caught again, because handlers compare the error with sys.exc_info(), as in Flask's documentation.
        try:
            # The build() of an adapter class for Werkzeug 1.0 has no url_scheme.
            keywords = {} if scheme is None else {"url_scheme": scheme}
            url = adapter.build(endpoint, values, method=method, force_external=external, **keywords)
        except routing.BuildError as error:
            raise BuildError(error, (request_context or app_context).app) from None
    except BuildError as error:
        values.update(_external=external, _anchor=anchor, _method=method, _scheme=scheme)
        return app.handle_url_build_error(error, endpoint, values)
    return url if anchor is None else f"{url}#{quote(str(anchor), safe='/:')}"


def make_response(*args: Any) -> Response:
    """Create a response from the values that a view could return, so that the view can change it.

    :param args: no argument creates an empty response. One argument is passed to
        :meth:`schlenk.Flask.make_response`, and several are passed to it as a tuple.
    :raises RuntimeError: there is no application context.
    :raises TypeError: no response can be created from ``args``.

    >>> from schlenk import Flask
    >>> with Flask(__name__).test_request_context():
    ...     response = make_response("made", 201)
    ...     response.headers["X-Made"] = "yes"
    ...     response.status
    '201 CREATED'
    """
    if not args:
        return current_app.response_class()
    return current_app.make_response(args[0] if len(args) == 1 else args)


def flash(message: str, category: str = "message") -> None:
    """Store a message in the session, usually for the next request, which reads it with :func:`get_flashed_messages`.

    :param message: a string, or another value that the session can store.
    :param category: the kind of message, such as ``"error"``.
    :raises RuntimeError: there is no request context, or the secret key for the session is not set.

    >>> from schlenk import Flask
    >>> app = Flask(__name__)
    >>> app.secret_key = "for this example only"
    >>> @app.route("/")
    ... def index():
    ...     flash("Saved.")
    ...     return "done"
    >>> with app.test_client() as client:
    ...     response = client.get("/")
    ...     get_flashed_messages()
    ['Saved.']
    """
    flashes = session.get("_flashes", [])
    flashes.append((category, message))
    # The session detects assignments only, not changes to a list inside it.
    session["_flashes"] = flashes
    message_flashed.send(current_app._get_current_object(), message=message, category=category)  # type: ignore[attr-defined]


def get_flashed_messages(with_categories: bool = False, category_filter: Iterable[str] = ()) -> list[Any]:
    """Remove the flashed messages from the session and return them.

    Later calls during the same request return the same messages.

    :param with_categories: return pairs of category and message.
    :param category_filter: return only messages of these categories. If it is empty, all messages are returned.
    :raises AttributeError: there is no request context.

    >>> from schlenk import Flask
    >>> app = Flask(__name__)
    >>> app.secret_key = "for this example only"
    >>> with app.test_request_context():
    ...     flash("Saved."); flash("Too long.", "error")
    ...     get_flashed_messages(category_filter=["error"]), get_flashed_messages(with_categories=True)
    (['Too long.'], [('message', 'Saved.'), ('error', 'Too long.')])
    """
    context = _request_ctx_stack.top
    if context is None:
        raise AttributeError(
            "Working outside of request context, so there are no flashed messages. Call get_flashed_messages() in a "
            "view or in a `with app.test_request_context():` block."
        )
    found = context.flashes
    if found is None:
        found = context.flashes = session.pop("_flashes") if "_flashes" in session else []
    if category_filter:
        found = [flashed for flashed in found if flashed[0] in category_filter]
    return found if with_categories else [flashed[1] for flashed in found]


@overload
def stream_with_context(generator_or_function: Callable[..., Iterator[T]]) -> Callable[..., Iterator[T]]: ...
@overload
def stream_with_context(generator_or_function: Iterable[T]) -> Iterator[T]: ...
def stream_with_context(generator_or_function: Any) -> Any:
    """Keep the current request context pushed until a streamed response has ended.

    :param generator_or_function: the generator or other iterable to stream. Used as a decorator, the function that
        returns it.
    :returns: an iterator over the same items, or a function that returns one.
    :raises RuntimeError: there is no request context.

    >>> from schlenk import Flask, request
    >>> app = Flask(__name__)
    >>> @app.route("/")
    ... def index():
    ...     @stream_with_context
    ...     def letters():
    ...         yield from request.args["word"]
    ...     return app.response_class(letters())
    >>> app.test_client().get("/?word=schlenk").get_data(as_text=True)
    'schlenk'
    """
    try:
        iterator = iter(generator_or_function)
    except TypeError:

        def streaming(*args: Any, **kwargs: Any) -> Any:
            return stream_with_context(generator_or_function(*args, **kwargs))

        return update_wrapper(streaming, generator_or_function)

    context = _request_ctx_stack.top
    if context is None:
        raise RuntimeError(
            "Working outside of request context, so there is no context for the stream to keep. Call "
            "stream_with_context() in the view, before it returns."
        )

    running = stream_in_context(context, iterator)
    # The generator pushes the context now, because the request may end before the server asks for the first part.
    next(running)
    return running


def get_env() -> str:
    """Return the environment variable ``FLASK_ENV``, or ``"production"`` if it is not set."""
    return os.environ.get("FLASK_ENV") or "production"


def get_debug_flag() -> bool:
    """Return whether the environment variable ``FLASK_DEBUG`` enables debug mode.

    The values ``0``, ``false`` and ``no`` disable it, and all others enable it. If the variable is not set, debug mode
    is enabled if ``FLASK_ENV`` is ``"development"``.
    """
    flag = os.environ.get("FLASK_DEBUG")
    return flag.lower() not in {"0", "false", "no"} if flag else get_env() == "development"


def get_load_dotenv(default: bool = True) -> bool:
    """Return whether the environment variable ``FLASK_SKIP_DOTENV`` allows loading ``.env`` files.

    :param default: the result if the variable is not set.
    """
    skip = os.environ.get("FLASK_SKIP_DOTENV")
    return skip.lower() in {"0", "false", "no"} if skip else default


def get_root_path(import_name: str) -> str:
    """Return the directory of a module.

    :param import_name: the full name of the module.
    :returns: the current directory if there is no such module, or if it is a namespace package that was not imported.
    :raises ImportError: the package that contains the module cannot be imported.
    :raises RuntimeError: the module has no file: it is built-in, or a namespace package that was imported.
    """
    module = sys.modules.get(import_name)
    file = getattr(module, "__file__", None)
    if file is None:
        try:
            spec = importlib.util.find_spec(import_name)
        except ValueError:
            spec = None
        if spec is None or (module is None and spec.origin is None):
            # There is no such module, or it is a namespace package that was not imported.
            return os.getcwd()
        file = spec.origin if spec.has_location else None
    if file is None:
        raise RuntimeError(
            f"The module {import_name!r} has no file, so its root path cannot be determined. Pass it with "
            "Flask(..., root_path=...)."
        )
    return os.path.dirname(os.path.abspath(file))


def innermost(function: Any) -> Any:
    """Return the function that a partial calls, or that was decorated with :func:`functools.wraps`."""
    while isinstance(function, partial):
        function = function.func
    return inspect.unwrap(function)


def describe_function(function: Any) -> str:
    """Name a view, hook or error handler in an error message, with its file and line as far as they are known."""
    function = innermost(function)
    if hasattr(function, "__qualname__"):
        name = ".".join(filter(None, (function.__module__, function.__qualname__)))
    else:
        name = repr(function)
        function = type(function).__call__ if callable(function) else None
    code = getattr(function, "__code__", None)
    return name + (f" ({code.co_filename}, line {code.co_firstlineno})" if code else "")


if not TYPE_CHECKING:
    # To a type checker, a module with a __getattr__ has every name.
    __getattr__ = missing_from(__name__)
