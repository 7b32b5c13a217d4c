"""Bad input: each kind gets a clear error, or a response without a traceback, and leaves both stacks unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from typing import Any, Callable
from wsgiref.handlers import SimpleHandler
from wsgiref.util import setup_testing_defaults

import pytest
from werkzeug.routing import BaseConverter, BuildError

import schlenk
from schlenk import (
    Flask,
    LocalProxy,
    _app_ctx_stack,
    _request_ctx_stack,
    after_this_request,
    current_app,
    g,
    request,
    session,
    signals_available,
    url_for,
)
from schlenk.ctx import AppContext, RequestContext

NO_HOST = 64 * "x" + ".example"
"""No part of a host's name may be so long; other names are refused by some releases of Werkzeug and taken by others."""


class Secret(Exception):
    """An error that must not be shown to clients."""


def stacks() -> tuple[list[RequestContext], list[AppContext]]:
    return list(getattr(_request_ctx_stack._local, "stack", ())), list(getattr(_app_ctx_stack._local, "stack", ()))


@pytest.fixture
def outer() -> Iterator[RequestContext]:
    """A request context of another application, which must be the only context left after the test."""
    with Flask("outer").test_request_context() as context:
        before = stacks()
        yield context
        assert stacks() == before


@pytest.fixture
def app(app: Flask) -> Flask:
    app.add_url_rule("/", "index", lambda: "hello")
    return app


@contextmanager
def unchanged() -> Iterator[None]:
    before = stacks()
    yield
    assert stacks() == before


def answer(app: Flask, **environ: Any) -> tuple[int, str]:
    """Return the status and body of a request to Python's own WSGI server, and check that the stacks are unchanged."""
    usual: dict[str, Any] = {}
    setup_testing_defaults(usual)
    environ = {key: value for key, value in {**usual, **environ}.items() if value is not None}
    sent = BytesIO()
    with unchanged():
        SimpleHandler(BytesIO(), sent, StringIO(), environ).run(app)
    head, _, body = sent.getvalue().decode().partition("\r\n\r\n")
    assert "Traceback" not in head + body
    assert "Secret" not in head + body
    return int(head.split()[1]), body


# Outside a context


@pytest.mark.parametrize(
    ("proxy", "kind"), [(request, "request"), (session, "request"), (g, "application"), (current_app, "application")]
)
@pytest.mark.parametrize(
    "use", [str, lambda proxy: proxy.name, lambda proxy: proxy["name"], lambda proxy: setattr(proxy, "name", 1), iter]
)
def test_unbound_proxy_names_its_context(proxy: Any, kind: str, use: Callable[[Any], Any]) -> None:
    with unchanged(), pytest.raises(RuntimeError, match=f"outside of {kind} context"):
        use(proxy)


def test_request_proxy_explains_app_context(app: Flask) -> None:
    with app.app_context(), unchanged():
        for proxy in (request, session):
            with pytest.raises(RuntimeError, match=r"app\.test_request_context\(\)"):
                str(proxy)


def test_unset_name_is_named() -> None:
    with pytest.raises(RuntimeError, match="user"):
        str(LocalProxy(schlenk.Local(), "user"))


# Popping in the wrong order


@pytest.mark.usefixtures("outer")
def test_pop_below_request_raises(app: Flask) -> None:
    with app.test_request_context("/below") as below, app.test_request_context("/top"):
        with unchanged(), pytest.raises(AssertionError, match=r"/below.*/top"):
            below.pop()


@pytest.mark.usefixtures("outer")
def test_pop_below_top_app_context_raises(app: Flask) -> None:
    with app.app_context() as below, app.app_context():
        with unchanged(), pytest.raises(AssertionError, match="wrong context"):
            below.pop()


@pytest.mark.usefixtures("outer")
def test_pop_unpushed_request_context_raises(app: Flask) -> None:
    with unchanged(), pytest.raises(IndexError, match=r"/.*pushed"):
        app.test_request_context().pop()


@pytest.mark.usefixtures("outer")
def test_pop_unpushed_app_context_raises(app: Flask) -> None:
    with unchanged(), pytest.raises(AssertionError, match="wrong context"):
        app.app_context().pop()


@pytest.mark.parametrize("make", [Flask.app_context, Flask.test_request_context])
def test_pop_of_nothing_raises(app: Flask, make: Callable[[Flask], Any]) -> None:
    with unchanged(), pytest.raises((AssertionError, IndexError)):
        make(app).pop()


# Requests


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"HTTP_HOST": None}, 200),
        ({"HTTP_HOST": ""}, 200),
        ({"HTTP_HOST": None, "SERVER_NAME": None}, 200),
        ({"HTTP_HOST": NO_HOST}, 400),
        ({"PATH_INFO": None}, 200),
        ({"PATH_INFO": ""}, 308),
        ({"PATH_INFO": "/\xff\xfe"}, 404),
        ({"SCRIPT_NAME": "/\xff"}, 200),
        ({"QUERY_STRING": "\xff=%ff&&=;%"}, 200),
        ({"CONTENT_LENGTH": "many"}, 200),
        ({"HTTP_COOKIE": "session=\xff\xfe; \x00; =; session="}, 200),
        ({"REQUEST_METHOD": "BREW"}, 405),
        ({"REQUEST_METHOD": ""}, 405),
        ({"wsgi.url_scheme": ""}, 200),
    ],
    ids=str,
)
@pytest.mark.usefixtures("outer")
def test_odd_request_is_answered(app: Flask, environ: dict[str, Any], status: int) -> None:
    assert answer(app, **environ)[0] == status


@pytest.mark.parametrize("host", ["no host", "shop.example:port", "[::1", "shop.example/path", "sh\xf6p.example"])
@pytest.mark.usefixtures("outer")
def test_odd_host_is_accepted_or_gets_400(app: Flask, host: str) -> None:
    at_root, below = answer(app, HTTP_HOST=host)[0], answer(app, HTTP_HOST=host, SCRIPT_NAME="/root")[0]
    assert at_root in {200, 400}
    assert below == at_root


@pytest.mark.parametrize(
    "host",
    [
        "my_api:8000",
        "sh\xf6p.example",
        "\u65e5\u672c.example:80",
        "shop.example:",
        "shop:99999",
        "~shop",
        "%73hop:80",
        "[fe80::1%25eth0]",
        "[FE80::1%eth0]:8000",
    ],
)
def test_unusual_host_is_served(app: Flask, host: str) -> None:
    assert answer(app, HTTP_HOST=host)[0] == 200


@pytest.mark.parametrize("host", ["no host", "a@b", "[fe80::1%25eth0", "[fe80::1%a/b]", "[fe80::1%a@b]", "[fe80::1%]"])
def test_malformed_host_gets_400(app: Flask, host: str) -> None:
    assert answer(app, HTTP_HOST=host)[0] == 400


def test_odd_host_gets_400_with_server_name(app: Flask) -> None:
    app.config["SERVER_NAME"] = "shop.example"
    assert answer(app, HTTP_HOST="no host")[0] == 400


def test_undecodable_path_reaches_view(app: Flask) -> None:
    app.add_url_rule("/<name>", "name", lambda name: name.encode("ascii", "backslashreplace"))
    assert answer(app, PATH_INFO="/a\xffb")[0] == 200


def test_invalid_host_runs_hooks(app: Flask) -> None:
    ran: list[str] = []
    app.before_request(lambda: ran.append("before"))
    app.after_request(lambda response: ran.append(f"after {response.status_code}") or response)
    answer(app, HTTP_HOST=NO_HOST)
    assert ran == ["before", "after 400"]


def test_invalid_host_reaches_400_handler(app: Flask) -> None:
    app.register_error_handler(400, lambda error: ("which host?", 400))
    assert answer(app, HTTP_HOST=NO_HOST) == (400, "which host?")


@pytest.mark.parametrize("host", ["other.example", NO_HOST, None])
def test_foreign_host_warns_and_gets_404(app: Flask, host: str | None) -> None:
    app.config["SERVER_NAME"] = "shop.example"
    with pytest.warns(UserWarning, match="shop.example"):
        assert answer(app, HTTP_HOST=host)[0] == 404


# Views


@pytest.mark.parametrize("returned", [None, ("body", 200, {}, "more"), (), 7, object(), lambda: "", ("body", object())])
@pytest.mark.usefixtures("outer")
def test_invalid_return_value_gets_500(app: Flask, returned: Any) -> None:
    app.view_functions["index"] = lambda: returned
    assert answer(app)[0] == 500


@pytest.mark.usefixtures("outer")
def test_unserializable_session_gets_500(app: Flask) -> None:
    app.view_functions["index"] = lambda: session.update(thing=Secret()) or ""
    assert answer(app)[0] == 500


@pytest.mark.usefixtures("outer")
def test_unknown_endpoint_is_500(app: Flask) -> None:
    app.view_functions["index"] = lambda: url_for("Secret")
    assert answer(app)[0] == 500


def test_unknown_endpoint_is_named_in_error(app: Flask) -> None:
    with app.test_request_context(), unchanged(), pytest.raises(BuildError, match="'nothing'"):
        url_for("nothing")


# Registration


def test_second_view_for_endpoint_is_refused(app: Flask) -> None:
    def other() -> str:
        return "other"

    index = app.view_functions["index"]
    with pytest.raises(AssertionError, match=r"other.*'index'"):
        app.add_url_rule("/other", "index", other)
    assert app.view_functions["index"] is index


def test_same_view_for_endpoint_is_accepted(app: Flask) -> None:
    app.add_url_rule("/other", "index", app.view_functions["index"])
    assert app.test_client().get("/other").data == b"hello"


def test_methods_as_string_are_refused(app: Flask) -> None:
    with pytest.raises(TypeError, match="'GET'"):
        app.add_url_rule("/other", "other", lambda: "", methods="GET")
    assert "other" not in app.view_functions
    assert len(list(app.url_map.iter_rules())) == 1


REGISTRATIONS: dict[str, Callable[[Flask], Any]] = {
    "route": lambda app: app.route("/late")(lambda: ""),
    "add_url_rule": lambda app: app.add_url_rule("/late", "late"),
    "endpoint": lambda app: app.endpoint("late"),
    "before_first_request": lambda app: app.before_first_request(print),
    "before_request": lambda app: app.before_request(print),
    "after_request": lambda app: app.after_request(print),
    "teardown_request": lambda app: app.teardown_request(print),
    "teardown_appcontext": lambda app: app.teardown_appcontext(print),
    "url_value_preprocessor": lambda app: app.url_value_preprocessor(print),
    "url_defaults": lambda app: app.url_defaults(print),
    "errorhandler": lambda app: app.errorhandler(404),
    "register_error_handler": lambda app: app.register_error_handler(404, print),
}


def registered(app: Flask) -> list[Any]:
    """Return everything that is registered with an application."""
    return [
        len(list(app.url_map.iter_rules())),
        dict(app.view_functions),
        list(app.before_first_request_funcs),
        list(app.teardown_appcontext_funcs),
        *(
            list(functions.get(None, ()))
            for functions in (
                app.before_request_funcs,
                app.after_request_funcs,
                app.teardown_request_funcs,
                app.url_value_preprocessors,
                app.url_default_functions,
            )
        ),
        app.error_handler_spec.get(None, {}).get(404, {}),
    ]


@pytest.mark.parametrize("register", REGISTRATIONS.values(), ids=REGISTRATIONS)
def test_late_registration_raises_in_debug(app: Flask, register: Callable[[Flask], Any]) -> None:
    app.debug = True
    app.test_client().get("/")
    before = registered(app)
    with pytest.raises(AssertionError, match=r"\(\).* request"):
        register(app)
    assert registered(app) == before


@pytest.mark.parametrize(("debug", "asked"), [(True, False), (False, True)])
@pytest.mark.parametrize("register", REGISTRATIONS.values(), ids=REGISTRATIONS)
def test_registration_is_accepted_otherwise(
    app: Flask, register: Callable[[Flask], Any], debug: bool, asked: bool
) -> None:
    app.debug = debug
    if asked:
        app.test_client().get("/")
    register(app)


@pytest.mark.parametrize(
    "name",
    [
        "before_first_request", "before_request", "after_request", "teardown_request", "teardown_appcontext",
        "url_value_preprocessor", "url_defaults",
    ],
)  # fmt: skip
def test_registering_returns_the_function(app: Flask, name: str) -> None:
    assert getattr(app, name)(fail) is fail


def test_late_registration_names_the_method(app: Flask) -> None:
    app.debug = True
    app.test_client().get("/")
    with pytest.raises(AssertionError, match=r"before_request\(\)"):
        app.before_request(print)


# Errors in user code


def fail(*args: Any, **kwargs: Any) -> Any:
    raise Secret


def fail_in_a_handler(app: Flask) -> None:
    app.view_functions["index"] = lambda: [][0]
    app.register_error_handler(IndexError, fail)


def fail_in_the_handler_of_500(app: Flask) -> None:
    app.view_functions["index"] = fail
    app.register_error_handler(500, fail)


def fail_to_convert(app: Flask) -> None:
    app.url_map.converters["failing"] = type("Failing", (BaseConverter,), {"to_python": fail})
    app.add_url_rule("/<failing:value>", "converted", fail)


def fail_in(signal: str, *more: Callable[[Flask], Any]) -> Callable[[Flask], Any]:
    def connect(app: Flask) -> None:
        if not signals_available:
            pytest.skip("needs blinker")
        # The application keeps a reference, because blinker holds receivers weakly.
        receiver = app.extensions[signal] = lambda sender, **values: fail()
        getattr(schlenk, signal).connect(receiver, app)
        for each in more:
            each(app)

    return connect


FAILURES: dict[str, Callable[[Flask], Any]] = {
    "view": lambda app: app.view_functions.update(index=fail),
    "before_first_request": lambda app: app.before_first_request(fail),
    "url_value_preprocessor": lambda app: app.url_value_preprocessor(fail),
    "before_request": lambda app: app.before_request(fail),
    "after_this_request": lambda app: app.before_request(lambda: after_this_request(fail) and None),
    "after_request": lambda app: app.after_request(fail),
    "teardown_request": lambda app: app.teardown_request(fail),
    "teardown_appcontext": lambda app: app.teardown_appcontext(fail),
    "error handler": fail_in_a_handler,
    "handler of 500": fail_in_the_handler_of_500,
    "URL converter": fail_to_convert,
    "open_session": lambda app: setattr(
        app, "session_interface", type("Failing", (type(app.session_interface),), {"open_session": fail})()
    ),
    "save_session": lambda app: setattr(
        app, "session_interface", type("Failing", (type(app.session_interface),), {"save_session": fail})()
    ),
    "request_started": fail_in("request_started"),
    "request_finished": fail_in("request_finished"),
    "request_tearing_down": fail_in("request_tearing_down"),
    "got_request_exception": fail_in("got_request_exception", lambda app: app.view_functions.update(index=fail)),
    "appcontext_pushed": fail_in("appcontext_pushed"),
    "appcontext_popped": fail_in("appcontext_popped"),
    "appcontext_tearing_down": fail_in("appcontext_tearing_down"),
    "every one at once": lambda app: [FAILURES[name](app) for name in FAILURES if name != "every one at once"],
}


@pytest.mark.parametrize("break_it", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("settings", [{}, {"TESTING": True}, {"PROPAGATE_EXCEPTIONS": True}], ids=str)
@pytest.mark.usefixtures("outer")
def test_error_is_hidden_and_stacks_are_kept(
    app: Flask, break_it: Callable[[Flask], Any], settings: dict[str, bool]
) -> None:
    app.config.update(settings)
    break_it(app)
    assert answer(app, PATH_INFO="/converted" if break_it is fail_to_convert else "/")[0] == 500


@pytest.mark.parametrize("break_it", FAILURES.values(), ids=FAILURES)
def test_error_leaves_nothing(app: Flask, break_it: Callable[[Flask], Any]) -> None:
    break_it(app)
    assert answer(app, PATH_INFO="/converted" if break_it is fail_to_convert else "/")[0] == 500
    assert stacks() == ([], [])


@pytest.mark.usefixtures("outer")
def test_base_error_keeps_stacks(app: Flask) -> None:
    def leave() -> None:
        raise SystemExit

    app.view_functions["index"] = leave
    with unchanged(), pytest.raises(SystemExit):
        app.test_client().get("/")
