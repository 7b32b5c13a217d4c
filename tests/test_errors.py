"""Errors in views and hooks: error handlers, HTTP exceptions, and internal server errors."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, Callable

import pytest
from werkzeug.debug.tbtools import DebugTraceback
from werkzeug.exceptions import (
    BadRequest,
    BadRequestKeyError,
    Conflict,
    Forbidden,
    HTTPException,
    InternalServerError,
    NotFound,
)

from schlenk import Flask, Response, abort, got_request_exception, request, session
from tests.support.requirements import needs_blinker


class Missing(LookupError):
    pass


class MissingPage(NotFound):
    pass


class PaymentDue(HTTPException):
    code = 402
    description = "Pay first."


def raising(error: Any) -> Callable[[], Any]:
    def view() -> Any:
        raise error

    return view


def named(name: str) -> Callable[[Any], str]:
    """Make a handler whose response has its name and the name of the error."""
    return lambda error: f"{name}: {type(error).__name__}"


def failing(error: Any, **settings: Any) -> Flask:
    """Make an application whose only view raises ``error``."""
    app = Flask("failing")
    app.config.update(settings)
    app.add_url_rule("/", "index", raising(error), methods=["GET", "POST"])
    return app


def answer(app: Flask) -> tuple[int, str]:
    response = app.test_client().get("/")
    return response.status_code, response.get_data(as_text=True)


# Handlers


@pytest.mark.parametrize(
    ("error", "handlers", "chosen"),
    [
        pytest.param(Missing(), [Missing], Missing, id="its class"),
        pytest.param(Missing(), [LookupError], LookupError, id="a class above its own"),
        pytest.param(Missing(), [Exception], Exception, id="the class of all"),
        pytest.param(Missing(), [Exception, LookupError, Missing], Missing, id="the nearest class of three"),
        pytest.param(Missing(), [Missing, LookupError, Exception], Missing, id="the nearest class, registered first"),
        pytest.param(Missing(), [KeyError, LookupError], LookupError, id="not a sister class"),
        pytest.param(NotFound(), [404], 404, id="its status"),
        pytest.param(NotFound(), [NotFound], NotFound, id="its class, that has a status"),
        pytest.param(NotFound(), [HTTPException], HTTPException, id="the class of all that have a status"),
        pytest.param(NotFound(), [Exception], Exception, id="the class of all, for one that has a status"),
        pytest.param(NotFound(), [HTTPException, Exception, 404], 404, id="its status before classes above"),
        pytest.param(NotFound(), [Exception, HTTPException], HTTPException, id="the nearest class, for a status"),
        pytest.param(MissingPage(), [404], 404, id="its status, for a subclass"),
        pytest.param(MissingPage(), [404, MissingPage], MissingPage, id="its class before that of its status"),
        pytest.param(PaymentDue(), [PaymentDue, Exception], PaymentDue, id="a class with a status of its own"),
        pytest.param(PaymentDue(), [404, HTTPException], HTTPException, id="not another status"),
    ],
)
def test_handler_lookup(error: Exception, handlers: list[Any], chosen: Any) -> None:
    app = failing(error)
    for kind in handlers:
        app.register_error_handler(kind, named(str(kind)))
    assert answer(app) == (200, f"{chosen}: {type(error).__name__}")


def test_handler_of_none_is_skipped() -> None:
    app = failing(NotFound())
    app.register_error_handler(Exception, named("all"))
    app.register_error_handler(404, None)  # type: ignore[arg-type]
    assert answer(app) == (200, "all: NotFound")


def test_handler_receives_error() -> None:
    error, seen = Missing("page"), []
    app = failing(error)
    app.register_error_handler(Missing, lambda given: seen.append(given) or "")
    answer(app)
    assert seen == [error]


def test_handler_is_like_a_view() -> None:
    app = failing(Missing())
    app.register_error_handler(Missing, lambda error: ({"error": "missing"}, 410, {"X-Seen": "yes"}))
    response = app.test_client().get("/")
    assert response.status_code == 410
    assert response.get_json() == {"error": "missing"}
    assert response.headers["X-Seen"] == "yes"


def test_handler_has_request() -> None:
    app = failing(Missing())
    app.register_error_handler(Missing, lambda error: request.path)
    assert answer(app) == (200, "/")


def test_last_handler_wins() -> None:
    app = failing(Missing())
    app.register_error_handler(Missing, named("first"))
    app.register_error_handler(Missing, named("last"))
    assert answer(app) == (200, "last: Missing")


def test_errorhandler_returns_the_function() -> None:
    app = failing(Missing())
    handler = named("decorated")
    assert app.errorhandler(Missing)(handler) is handler
    assert answer(app) == (200, "decorated: Missing")


def test_handler_may_raise_http_exception() -> None:
    app = failing(Missing())
    app.register_error_handler(Missing, lambda error: abort(404))
    assert answer(app)[0] == 500


def test_handlers_are_kept_by_code_and_class() -> None:
    app, handler = Flask("keeping"), named("kept")
    for kind in (404, Missing, HTTPException):
        app.register_error_handler(kind, handler)
    assert app.error_handler_spec == {
        None: {404: {NotFound: handler}, None: {Missing: handler, HTTPException: handler}}
    }


@pytest.mark.parametrize(
    ("kind", "refusal", "words"),
    [
        (NotFound(), ValueError, "404: Not Found"),
        (799, KeyError, "799.*status"),
        ("404", TypeError, "404"),
        (Missing(), TypeError, "Missing"),
        (object, AssertionError, "object"),
        (KeyboardInterrupt, AssertionError, "KeyboardInterrupt"),
    ],
)
def test_invalid_handler_key_is_refused(app: Flask, kind: Any, refusal: type[Exception], words: str) -> None:
    with pytest.raises(refusal, match=words):
        app.register_error_handler(kind, named("never"))
    assert not any(any(handlers.values()) for handlers in app.error_handler_spec.values())


@pytest.mark.parametrize(("kind", "refusal"), [(NotFound(), ValueError), (799, KeyError)])
def test_refused_handler_is_named(kind: Any, refusal: type[Exception]) -> None:
    with pytest.raises(refusal) as refused:
        Flask("refusing").register_error_handler(kind, answer)
    place = f"{__file__}, line {answer.__code__.co_firstlineno}"
    assert refused.value.args[0].startswith(f"{__name__}.answer ({place}) cannot be registered")


@pytest.mark.parametrize("handler", [None, "handler"], ids=repr)
def test_refused_object_is_named(handler: Any) -> None:
    with pytest.raises(KeyError, match=f"{handler!r} cannot be registered"):
        Flask("refusing").register_error_handler(799, handler)


# HTTP exceptions


def test_http_exception_is_its_own_response() -> None:
    assert answer(failing(PaymentDue()))[0] == 402
    assert "Pay first." in answer(failing(PaymentDue()))[1]


def test_http_exception_has_no_body_for_head() -> None:
    app, bodies = failing(PaymentDue()), []
    app.after_request(lambda response: bodies.append(response.get_data()) or response)
    response = app.test_client().head("/")
    assert response.status_code == 402
    assert bodies == [b""]
    assert int(response.headers["Content-Length"]) > 0


def test_abort_raises(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: abort(409, "twice"))
    app.register_error_handler(Conflict, lambda error: (error.description, error.code))
    assert answer(app) == (409, "twice")


def test_abort_with_response_skips_handlers(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: abort(Response("as it is", 418)))
    app.register_error_handler(Exception, named("never"))
    assert answer(app) == (418, "as it is")


def test_abort_does_not_change_response() -> None:
    app, denied = Flask("aborting"), Response("denied", 403)
    app.secret_key = "key"

    @app.route("/<user>")
    def view(user: str) -> None:
        session["user"] = user
        abort(denied)

    before = list(denied.headers)
    answers = [app.test_client().get(f"/{user}") for user in ("ada", "eve")]
    assert [len(answer.headers.getlist("Set-Cookie")) for answer in answers] == [1, 1]
    assert list(denied.headers) == before


def test_error_without_code_skips_handlers() -> None:
    app = failing(HTTPException(response=Response("as it is", 418)))
    app.register_error_handler(HTTPException, named("never"))
    assert answer(app) == (418, "as it is")


def test_routing_redirect_skips_handlers(app: Flask) -> None:
    app.add_url_rule("/page/", "page", lambda: "page")
    app.register_error_handler(HTTPException, named("never"))
    app.register_error_handler(Exception, named("never"))
    assert app.test_client().get("/page").status_code == 308


def test_http_error_is_unlogged(caplog: pytest.LogCaptureFixture) -> None:
    answer(failing(Forbidden()))
    assert caplog.records == []


def test_http_exception_does_not_propagate() -> None:
    assert answer(failing(Forbidden(), TESTING=True))[0] == 403


def test_raised_500_has_no_original() -> None:
    app = failing(InternalServerError())
    app.register_error_handler(500, lambda error: f"original: {error.original_exception}")
    assert answer(app) == (200, "original: None")


# Trapping


def trapped(error: Exception, **settings: Any) -> bool:
    """Return whether the HTTP exception ``error`` is raised to the server."""
    app = failing(error, PROPAGATE_EXCEPTIONS=True, PRESERVE_CONTEXT_ON_EXCEPTION=False, **settings)
    try:
        app.test_client().get("/")
    except type(error):
        return True
    return False


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # NotFound, BadRequest, BadRequestKeyError
        ({}, (False, False, False)),
        ({"DEBUG": True}, (False, False, True)),
        ({"TESTING": True}, (False, False, False)),
        ({"TRAP_HTTP_EXCEPTIONS": True}, (True, True, True)),
        ({"TRAP_HTTP_EXCEPTIONS": True, "TRAP_BAD_REQUEST_ERRORS": False}, (True, True, True)),
        ({"TRAP_BAD_REQUEST_ERRORS": True}, (False, True, True)),
        ({"TRAP_BAD_REQUEST_ERRORS": False, "DEBUG": True}, (False, False, False)),
        ({"TRAP_BAD_REQUEST_ERRORS": True, "DEBUG": True}, (False, True, True)),
    ],
    ids=str,
)
def test_trap_settings(settings: dict[str, bool], expected: tuple[bool, bool, bool]) -> None:
    errors = NotFound(), BadRequest(), BadRequestKeyError("name")
    assert tuple(trapped(error, **settings) for error in errors) == expected


@pytest.mark.parametrize("setting", ["TRAP_HTTP_EXCEPTIONS", "TRAP_BAD_REQUEST_ERRORS"])
def test_trap_result_is_a_bool(app: Flask, setting: str) -> None:
    app.config[setting] = 1
    assert app.trap_http_exception(BadRequest()) is True


def test_trapped_error_reaches_its_handler() -> None:
    app = failing(NotFound(), TRAP_HTTP_EXCEPTIONS=True)
    app.register_error_handler(404, named("handler"))
    assert answer(app) == (200, "handler: NotFound")


def test_unhandled_trapped_error_gets_500() -> None:
    assert answer(failing(NotFound(), TRAP_HTTP_EXCEPTIONS=True))[0] == 500


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, False),
        ({"DEBUG": True, "TRAP_BAD_REQUEST_ERRORS": False}, True),
        ({"TESTING": True}, False),
    ],
    ids=str,
)
def test_missing_form_key_is_shown_in_debug(settings: dict[str, Any], shown: bool) -> None:
    app = Flask("form")
    app.config.update(settings)
    app.add_url_rule("/", "index", lambda: request.form["secret_key_of_form"], methods=["POST"])
    response = app.test_client().post("/")
    assert response.status_code == 400
    assert (b"secret_key_of_form" in response.data) == shown


def test_shown_key_error_is_kept() -> None:
    error = BadRequestKeyError("name")
    error.show_exception = True
    assert "name" in answer(failing(error))[1]


def test_trapped_form_key_reaches_handler() -> None:
    app = failing(BadRequestKeyError("name"), TRAP_BAD_REQUEST_ERRORS=True)
    app.register_error_handler(BadRequestKeyError, lambda error: error.description)
    assert "'name'" in answer(app)[1]


def test_handle_outside_except_block_raises(app: Flask) -> None:
    app.register_error_handler(Missing, named("never"))
    with app.test_request_context(), pytest.raises(AssertionError, match="being handled"):
        app.handle_user_exception(Missing())


# Unhandled errors


def test_unhandled_error_gets_plain_500() -> None:
    status, body = answer(failing(Missing("a secret")))
    assert status == 500
    assert "Missing" not in body
    assert "secret" not in body
    assert "Traceback" not in body


def test_unhandled_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = Missing()
    app = failing(error)
    app.test_client().post("/")
    (record,) = caplog.records
    assert record.name == "failing"
    assert record.levelno == logging.ERROR
    assert record.exc_info[1] is error
    assert [word for word in ("POST", "/") if word not in record.getMessage()] == []


@pytest.mark.parametrize("kind", [500, InternalServerError, HTTPException])
def test_handler_of_500_receives_original(kind: Any) -> None:
    error, seen = Missing(), []
    app = failing(error)
    app.register_error_handler(kind, lambda given: seen.append(given) or ("sorry", 503))
    assert answer(app) == (503, "sorry")
    assert [(type(given), given.original_exception) for given in seen] == [(InternalServerError, error)]


def test_exception_handler_gets_the_error() -> None:
    app = failing(Missing())
    app.register_error_handler(Exception, named("all"))
    app.register_error_handler(500, named("500"))
    assert answer(app) == (200, "all: Missing")


def test_handled_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = failing(Missing())
    app.register_error_handler(Missing, named("handled"))
    answer(app)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("settings", "raised"),
    [
        ({}, False),
        ({"TESTING": True}, True),
        ({"DEBUG": True}, True),
        ({"PROPAGATE_EXCEPTIONS": True}, True),
        ({"PROPAGATE_EXCEPTIONS": False, "TESTING": True}, False),
        ({"PROPAGATE_EXCEPTIONS": False, "DEBUG": True}, False),
    ],
    ids=str,
)
def test_unhandled_propagates(settings: dict[str, bool], raised: bool) -> None:
    error = Missing()
    app = failing(error, PRESERVE_CONTEXT_ON_EXCEPTION=False, **settings)
    app.register_error_handler(500, lambda given: "handled")
    try:
        outcome: Any = app.test_client().get("/").data
    except Missing as left:
        outcome = left
    assert outcome is error if raised else outcome == b"handled"


def test_propagated_error_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Missing):
        answer(failing(Missing(), TESTING=True))
    assert caplog.records == []


def test_propagated_error_has_traceback() -> None:
    with pytest.raises(Missing) as raised:
        answer(failing(Missing(), TESTING=True))
    assert raised.traceback[-1].name == "view"


@needs_blinker
@pytest.mark.parametrize("testing", [False, True])
def test_unhandled_sends_signal(testing: bool) -> None:
    error, seen = Missing(), []
    app = failing(error, TESTING=testing)

    def receive(sender: Flask, exception: Exception) -> None:
        seen.append((sender, exception))

    with got_request_exception.connected_to(receive, app):
        with suppress(Missing):
            answer(app)
    assert seen == [(app, error)]


@needs_blinker
def test_handled_error_sends_no_signal() -> None:
    seen: list[Any] = []
    app = failing(Missing())
    app.register_error_handler(Missing, named("handled"))

    def receive(sender: Flask, exception: Exception) -> None:
        seen.append(exception)

    with got_request_exception.connected_to(receive, app):
        answer(app)
    assert seen == []


def test_failing_after_request_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = failing(Missing())
    app.register_error_handler(500, named("sorry"))

    @app.after_request
    def fail(response: Response) -> Response:
        raise ZeroDivisionError

    assert answer(app) == (200, "sorry: InternalServerError")
    assert [record.exc_info[0] for record in caplog.records] == [Missing, ZeroDivisionError]


def test_invalid_handler_result_propagates() -> None:
    app = failing(Missing())
    app.register_error_handler(500, lambda error: None)
    with pytest.raises(TypeError, match=r"error handler .* returned None"):
        answer(app)


def test_base_error_propagates() -> None:
    with pytest.raises(SystemExit):
        answer(failing(SystemExit()))


def test_dispatch_without_matching_raises(app: Flask) -> None:
    with app.test_request_context("/") as context:
        context.request.routing_exception = None
        with pytest.raises(AttributeError, match="its URL was not matched"):
            app.dispatch_request()


# --- The debugger


def test_debugger_hides_frames_above_view(app: Flask) -> None:
    app.debug = True
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = False
    app.add_url_rule("/", "fail", raising(Missing()))
    with pytest.raises(Missing) as raised:
        app.test_client().get("/")
    frames = DebugTraceback(raised.value).all_frames
    assert [frame.name for frame in frames] == ["dispatch_request", "view"]


def debugged(register: Callable[[Flask], Any], url: str = "/") -> list[str]:
    """Return the names of the frames that the debugger shows for the request of an application."""
    app = Flask("debugged")
    app.debug = True
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = False
    app.add_url_rule("/", "index", lambda: "body")
    app.add_url_rule("/divide", "divide", lambda: str(1 // 0))
    app.add_url_rule("/nothing", "nothing", lambda: None)  # type: ignore[arg-type,return-value]
    register(app)
    with pytest.raises((Missing, TypeError)) as raised:
        app.test_client().get(url)
    return [frame.name for frame in DebugTraceback(raised.value).all_tracebacks[0][1].stack]


def fail(*args: Any) -> Any:
    raise Missing


@pytest.mark.parametrize(
    ("register", "caller"),
    [
        (lambda app: app.before_first_request(fail), "try_trigger_before_first_request_functions"),
        (lambda app: app.url_value_preprocessor(fail), "preprocess_request"),
        (lambda app: app.before_request(fail), "preprocess_request"),
        (lambda app: app.after_request(fail), "process_response"),
        (lambda app: app.teardown_request(fail), "do_teardown_request"),
        (lambda app: app.teardown_appcontext(fail), "do_teardown_appcontext"),
    ],
)
def test_debugger_begins_at_hook(register: Any, caller: str) -> None:
    assert debugged(register) == [caller, "fail"]


@pytest.mark.parametrize(
    ("key", "url", "caller"),
    [(ZeroDivisionError, "/divide", "handle_user_exception"), (404, "/nowhere", "handle_http_exception")],
)
def test_debugger_begins_at_error_handler(key: Any, url: str, caller: str) -> None:
    assert debugged(lambda app: app.register_error_handler(key, fail), url) == [caller, "fail"]


def test_debugger_begins_at_500_handler() -> None:
    def register(app: Flask) -> None:
        app.config["PROPAGATE_EXCEPTIONS"] = False
        app.register_error_handler(500, fail)

    assert debugged(register, "/divide") == ["handle_exception", "fail"]


def test_debugger_begins_at_bad_return_value() -> None:
    assert debugged(lambda app: None, "/nothing") == ["finalize_request", "make_response", "from_object"]


def test_debugger_begins_at_missing_response() -> None:
    assert debugged(lambda app: app.after_request(lambda response: None)) == ["wsgi_app"]  # type: ignore[arg-type,return-value]
