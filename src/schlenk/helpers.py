"""What views call: URLs, responses, flashed messages, streams; and where an application finds itself."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Callable, TypeVar, overload
from urllib.parse import quote

from werkzeug.exceptions import abort
from werkzeug.routing import BuildError
from werkzeug.utils import redirect

from .globals import _app_ctx_stack, _request_ctx_stack, current_app, session
from .signals import message_flashed

if TYPE_CHECKING:
    from .wrappers import Response

__all__ = [
    "abort", "flash", "get_debug_flag", "get_env", "get_flashed_messages", "get_load_dotenv", "get_root_path",
    "make_response", "redirect", "stream_with_context", "url_for",
]  # fmt: skip

T = TypeVar("T")


def url_for(endpoint: str, **values: Any) -> str:
    """Return the URL of an endpoint.

    :param endpoint: the endpoint's name; a dot in front means the same blueprint, which is none here.
    :param values: those of the rule's variables; any others make the query string. Four are for this function:
        ``_external`` (whether to give scheme and host too; the default outside a request), ``_scheme`` (instead of
        ``PREFERRED_URL_SCHEME`` or the request's; only with ``_external``), ``_anchor``, and ``_method`` (choose the
        rule for this HTTP method).
    :raises RuntimeError: there is no application context; or no request and no ``SERVER_NAME`` to tell the host.
    :raises AttributeError: the request was for a host that can't be used.
    :raises BuildError: there is no rule for that endpoint and these values, and no function in
        ``app.url_build_error_handlers`` knew better.
    :raises ValueError: ``_scheme`` without ``_external``.

    >>> from schlenk import Flask
    >>> app = Flask(__name__)
    >>> app.add_url_rule("/user/<name>", "user")
    >>> with app.test_request_context():
    ...     url_for("user", name="ada", page=2), url_for("user", name="ada", _external=True)
    ('/user/ada?page=2', 'http://localhost/user/ada')

    As in Flask 1.1.
    """
    app_context = _app_ctx_stack.top
    request_context = _request_ctx_stack.top
    if app_context is None:
        raise RuntimeError(
            f"The URL of {endpoint!r} can't be built: working outside of application context, it isn't known for which "
            "application. In a script, put it into a `with app.app_context():` block."
        )
    adapter = app_context.url_adapter if request_context is None else request_context.url_adapter
    if adapter is None and request_context is not None:
        raise AttributeError(
            f"The URL of {endpoint!r} can't be built, because the current request names no host that could be used."
        )
    if adapter is None:
        raise RuntimeError(
            f"The URL of {endpoint!r} can't be built, because it isn't known for which host: outside a request, set "
            "SERVER_NAME in the configuration (and APPLICATION_ROOT and PREFERRED_URL_SCHEME, if need be)."
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
        raise ValueError(f"The URL of {endpoint!r} can't have a _scheme, {scheme!r}, without _external=True.")
    try:
        url = adapter.build(endpoint, values, method=method, force_external=external, url_scheme=scheme)
    except BuildError as error:
        values.update(_external=external, _anchor=anchor, _method=method, _scheme=scheme)
        return app.handle_url_build_error(error, endpoint, values)
    return url if anchor is None else f"{url}#{quote(str(anchor), safe='/:')}"


def make_response(*args: Any) -> Response:
    """Return the response that a view returning ``args`` would lead to, to change it before it is returned.

    :param args: nothing, for an empty response; or what :meth:`~schlenk.Flask.make_response` takes, several being
        taken for a tuple.

    >>> from schlenk import Flask
    >>> with Flask(__name__).test_request_context():
    ...     response = make_response("made", 201)
    ...     response.headers["X-Made"] = "yes"
    ...     response.status
    '201 CREATED'

    As in Flask 1.1.
    """
    if not args:
        return current_app.response_class()
    return current_app.make_response(args[0] if len(args) == 1 else args)


def flash(message: str, category: str = "message") -> None:
    """Keep a message in the session for the next request to show, which takes it with :func:`get_flashed_messages`.

    :param message: what to show: a string, or anything else that the session can keep.
    :param category: a word for the kind of message, such as ``"error"``.
    :raises RuntimeError: there is no request, or no secret key to keep a session with.

    >>> from schlenk import Flask
    >>> app = Flask(__name__)
    >>> app.secret_key = "for this example only"
    >>> @app.route("/")
    ... def index():
    ...     flash("Saved.")
    ...     return "see what is next"
    >>> with app.test_client() as client:
    ...     response = client.get("/")
    ...     get_flashed_messages()
    ['Saved.']

    As in Flask 1.1.
    """
    flashes = session.get("_flashes", [])
    flashes.append((category, message))
    # Assigned again, as a session doesn't see what becomes of a list inside it.
    session["_flashes"] = flashes
    message_flashed.send(current_app._get_current_object(), message=message, category=category)  # type: ignore[attr-defined]


def get_flashed_messages(with_categories: bool = False, category_filter: Iterable[str] = ()) -> list[Any]:
    """Take the flashed messages out of the session and return them; again and again the same during one request.

    :param with_categories: return pairs of category and message.
    :param category_filter: return only those of these categories; all, where it is empty.
    :raises AttributeError: there is no request context.

    >>> from schlenk import Flask
    >>> app = Flask(__name__)
    >>> app.secret_key = "for this example only"
    >>> with app.test_request_context():
    ...     flash("Saved."); flash("Too long.", "error")
    ...     get_flashed_messages(category_filter=["error"]), get_flashed_messages(with_categories=True)
    (['Too long.'], [('message', 'Saved.'), ('error', 'Too long.')])

    As in Flask 1.1.
    """
    context = _request_ctx_stack.top
    if context is None:
        raise AttributeError(
            "There are no flashed messages, because there is no session to take them from: working outside of request "
            "context. Call get_flashed_messages() in a view, or in a `with app.test_request_context():` block."
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
    """Keep the request context for as long as a response is being streamed.

    :param generator_or_function: the iterable that is streamed, or, as a decorator, the function that returns it.
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

    As in Flask 1.1.
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
            "The stream can't keep the request context, because there is none: working outside of request context. "
            "Call stream_with_context() in the view, before it returns."
        )

    def stream() -> Generator[Any, None, None]:
        with context:
            context._streams += 1
            try:
                yield
                # Not `yield from`, which would close the iterator too.
                for part in iterator:  # noqa: UP028
                    yield part
            finally:
                context._streams -= 1
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()

    kept = stream()
    # As far as the first yield: from here on the context stays, whatever becomes of the request.
    next(kept)
    return kept


def get_env() -> str:
    """Return ``FLASK_ENV`` from the environment: ``"production"`` where it is not set. As in Flask 1.1."""
    return os.environ.get("FLASK_ENV") or "production"


def get_debug_flag() -> bool:
    """Return what ``FLASK_DEBUG`` in the environment says; where it is not set, whether ``FLASK_ENV`` is development.

    As in Flask 1.1.
    """
    flag = os.environ.get("FLASK_DEBUG")
    return flag.lower() not in {"0", "false", "no"} if flag else get_env() == "development"


def get_load_dotenv(default: bool = True) -> bool:
    """Return whether ``FLASK_SKIP_DOTENV`` in the environment leaves it to be done; ``default`` where it is not set.

    As in Flask 1.1.
    """
    skip = os.environ.get("FLASK_SKIP_DOTENV")
    return skip.lower() in {"0", "false", "no"} if skip else default


def get_root_path(import_name: str) -> str:
    """Return the folder that a module lies in, or the current one for a module that isn't in a file.

    :param import_name: the module's name, with dots.
    :raises ImportError: the package that the module would be in can't be imported.
    :raises RuntimeError: the module is in no folder that could be told.

    As in Flask 1.1.
    """
    module = sys.modules.get(import_name)
    file = getattr(module, "__file__", None)
    if file is None:
        try:
            spec = importlib.util.find_spec(import_name)
        except ValueError:
            spec = None
        if spec is None or (module is None and spec.origin is None):
            # There is no such module, or only a folder that would do for one.
            return os.getcwd()
        file = spec.origin if spec.has_location else None
    if file is None:
        raise RuntimeError(
            f"The root path of {import_name!r} can't be told, as it isn't in a file: "
            "say it with Flask(..., root_path=...)."
        )
    return os.path.dirname(os.path.abspath(file))
