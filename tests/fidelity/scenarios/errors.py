"""Which handler is called for an error, its argument, and the effect of the settings."""

from __future__ import annotations

from itertools import product
from typing import Any

from werkzeug.exceptions import (
    BadRequest,
    BadRequestKeyError,
    Conflict,
    Forbidden,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
)

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Crash, Trace, scenario


class Base(Exception):
    pass


class Middle(Base):
    pass


class Leaf(Middle):
    pass


class Other(Exception):
    pass


class Both(Other, Middle):
    pass


class Teapot(HTTPException):
    code = 418


class SpecialNotFound(NotFound):
    pass


class OwnCode(HTTPException):
    code = 499
    description = "own"


class Coded(Exception):
    code = 404


def raising(app: Any, *errors: Any) -> None:
    """Add a view to ``app`` for each error, at the URL of its name, that raises it."""
    for error in errors:

        def view(error: Any = error) -> None:
            raise error

        name = (error if isinstance(error, type) else type(error)).__name__
        app.add_url_rule(f"/{name}", name, view)


def named(trace: Trace, name: str, status: int = 200) -> Any:
    """Return a handler that answers with its name and its argument."""

    def handler(error: BaseException) -> tuple[str, int]:
        trace("handler", name, error)
        return name, status

    return handler


@scenario
def handler_by_class_nearest_in_the_mro(side: Side, trace: Trace) -> None:
    """The handler of the first class in the error's MRO is called."""
    app = trace.bare()
    app.register_error_handler(Base, named(trace, "Base"))
    app.register_error_handler(Middle, named(trace, "Middle"))
    app.register_error_handler(Exception, named(trace, "Exception"))
    raising(app, Base, Middle, Leaf, Both, Other, Boom("b"), KeyError("k"))
    for name in ("Base", "Middle", "Leaf", "Both", "Other", "Boom", "KeyError"):
        trace.serve(app, f"/{name}")


@scenario
def order_of_registration_does_not_matter_for_classes(side: Side, trace: Trace) -> None:
    """The nearest class is chosen in any order of registration. The last handler of a class replaces earlier ones."""
    app = trace.bare()
    app.register_error_handler(Middle, named(trace, "Middle"))
    app.register_error_handler(Base, named(trace, "Base"))
    app.register_error_handler(Middle, named(trace, "Middle again"))
    raising(app, Leaf)
    trace.serve(app, "/Leaf")


@scenario
def class_with_two_bases(side: Side, trace: Trace) -> None:
    """With handlers for both bases, the MRO decides."""
    app = trace.bare()
    app.register_error_handler(Middle, named(trace, "Middle"))
    app.register_error_handler(Other, named(trace, "Other"))
    raising(app, Both)
    trace.serve(app, "/Both")


@scenario
def handler_by_code(side: Side, trace: Trace) -> None:
    """A handler for a code receives all HTTP errors with that code: raised, aborted or from routing."""
    app = trace.bare()
    app.register_error_handler(404, named(trace, "404", 404))
    app.register_error_handler(405, named(trace, "405", 405))
    app.add_url_rule("/abort", "abort", lambda: side.flask.abort(404))
    raising(app, NotFound, SpecialNotFound, MethodNotAllowed, Forbidden)
    for path in ("/abort", "/NotFound", "/SpecialNotFound", "/MethodNotAllowed", "/Forbidden", "/nowhere"):
        trace.serve(app, path)
    trace.serve(app, "/abort", "PUT")


@scenario
def code_and_class_are_one_registration(side: Side, trace: Trace) -> None:
    """A code and its class are the same key, so the last registration is used."""
    for first, second in ((404, NotFound), (NotFound, 404)):
        app = trace.bare()
        app.register_error_handler(first, named(trace, f"first {trace.plain(first)}"))
        app.register_error_handler(second, named(trace, f"second {trace.plain(second)}"))
        trace.serve(app, "/nowhere")


@scenario
def handler_by_code_beats_base_classes(side: Side, trace: Trace) -> None:
    """A handler for the code is preferred to those for HTTPException and Exception, in any order."""
    app = trace.bare()
    app.register_error_handler(Exception, named(trace, "Exception"))
    app.register_error_handler(HTTPException, named(trace, "HTTPException"))
    app.register_error_handler(404, named(trace, "404"))
    raising(app, SpecialNotFound, Forbidden, Boom("b"))
    for path in ("/nowhere", "/SpecialNotFound", "/Forbidden", "/Boom"):
        trace.serve(app, path)


@scenario
def handler_for_a_subclass_of_an_http_error(side: Side, trace: Trace) -> None:
    """A handler for a subclass does not receive other errors with its code."""
    app = trace.bare()
    app.register_error_handler(SpecialNotFound, named(trace, "special"))
    raising(app, SpecialNotFound, NotFound)
    trace.serve(app, "/SpecialNotFound")
    trace.serve(app, "/NotFound")
    app.register_error_handler(NotFound, named(trace, "plain"))
    trace.serve(app, "/SpecialNotFound")
    trace.serve(app, "/NotFound")


@scenario
def handler_for_exception_gets_http_errors_too(side: Side, trace: Trace) -> None:
    """A handler for Exception also receives all HTTP errors, but no redirects of the routing."""
    app = trace.bare()
    app.register_error_handler(Exception, named(trace, "Exception"))
    app.add_url_rule("/dir/", "dir", lambda: "dir")
    raising(app, Forbidden)
    for path in ("/nowhere", "/Forbidden", "/dir"):
        trace.serve(app, path)
    trace.serve(app, "/dir/", "PUT")


@scenario
def handler_for_http_exception(side: Side, trace: Trace) -> None:
    """A handler for HTTPException receives all HTTP errors, and the InternalServerError for any other error."""
    app = trace.bare()

    @app.errorhandler(HTTPException)
    def handler(error: HTTPException) -> tuple[str, int]:
        trace("handler", error, error.code, getattr(error, "original_exception", "none"))
        return "http", error.code

    raising(app, Forbidden, Boom("b"), Teapot)
    for path in ("/nowhere", "/Forbidden", "/Boom", "/Teapot"):
        trace.serve(app, path)


@scenario
def handler_for_internal_server_error(side: Side, trace: Trace) -> None:
    """A handler for 500 receives an InternalServerError, with the original error if there is one."""
    for key in (500, InternalServerError):
        app = trace.bare()

        @app.errorhandler(key)
        def handler(error: InternalServerError) -> tuple[str, int]:
            trace("handler", error, error.original_exception)
            return "five hundred", 500

        original = Boom("original")
        app.add_url_rule("/abort", "abort", lambda: side.flask.abort(500))
        raising(app, Boom("b"), InternalServerError(original_exception=original))
        for path in ("/Boom", "/abort", "/InternalServerError"):
            trace.serve(app, path)


@scenario
def handlers_for_exception_and_500(side: Side, trace: Trace) -> None:
    """With handlers for Exception and 500, an unexpected error calls the first, and an aborted 500 the second."""
    app = trace.bare()
    app.register_error_handler(Exception, named(trace, "Exception", 500))
    app.register_error_handler(500, named(trace, "500", 500))
    app.add_url_rule("/abort", "abort", lambda: side.flask.abort(500))
    raising(app, Boom("b"))
    trace.serve(app, "/Boom")
    trace.serve(app, "/abort")


@scenario
def handler_for_500_and_http_exception(side: Side, trace: Trace) -> None:
    """For an unexpected error, the handler for the code is preferred to that for HTTPException."""
    app = trace.bare()
    app.register_error_handler(HTTPException, named(trace, "HTTPException", 500))
    app.register_error_handler(500, named(trace, "500", 500))
    raising(app, Boom("b"))
    trace.serve(app, "/Boom")


@scenario
def error_with_a_code_that_is_no_http_error(side: Side, trace: Trace) -> None:
    """An exception with an attribute code is looked up by that code and its class, and is not an HTTP error."""
    app = trace.bare()
    app.register_error_handler(404, named(trace, "404"))
    app.register_error_handler(Exception, named(trace, "Exception"))
    raising(app, Coded)
    trace.serve(app, "/Coded")
    app.register_error_handler(Coded, named(trace, "Coded"))
    trace.serve(app, "/Coded")


@scenario
def http_error_with_a_code_of_its_own(side: Side, trace: Trace) -> None:
    """An HTTP error with a code that Werkzeug does not know can be handled by class, but not by code."""
    app = trace.bare()
    raising(app, OwnCode)
    trace.serve(app, "/OwnCode")
    trace.attempt("register", lambda: app.register_error_handler(499, named(trace, "499")), words=("499",))
    app.register_error_handler(OwnCode, named(trace, "OwnCode", 499))
    trace.serve(app, "/OwnCode")


@scenario
def http_error_without_code_is_left_alone(side: Side, trace: Trace) -> None:
    """An HTTP error with a response and no code is returned without calling handlers for HTTPException."""
    app = trace.bare()
    app.register_error_handler(HTTPException, named(trace, "HTTPException"))
    raising(app, HTTPException(response=side.flask.Response("as it is", status=209)))
    trace.serve(app, "/HTTPException")


@scenario
def registration_of_what_is_no_error(side: Side, trace: Trace) -> None:
    """Codes without a class, instances and other objects are refused when they are registered."""
    app = trace.bare()
    for key in (99, 600, "404", NotFound(), Boom("b"), object):
        trace.attempt("register", lambda key=key: app.register_error_handler(key, print))
        trace.attempt("decorate", lambda key=key: app.errorhandler(key)(print))


@scenario
def handlers_are_kept_by_code_and_class(side: Side, trace: Trace) -> None:
    """error_handler_spec maps None, then the code or None, then the class, to handlers."""
    app = trace.bare()
    functions = {404: print, Base: repr, HTTPException: str, SpecialNotFound: len}
    for key, function in functions.items():
        app.register_error_handler(key, function)
    spec = app.error_handler_spec[None]
    trace("by code", spec[404] == {NotFound: print, SpecialNotFound: len})
    trace("by class", spec[None] == {Base: repr, HTTPException: str})


@scenario
def handler_answers_in_every_form(side: Side, trace: Trace) -> None:
    """The return value of a handler is made a response as that of a view is. The status is 200 by default."""
    app = trace.bare()
    answers = [
        "text",
        ("text", 404),
        {"a": 1},
        ("text", 410, {"X-A": "1"}),
        side.flask.Response("whole", 404),
        NotFound(),
    ]
    app.register_error_handler(404, lambda error: answers.pop(0))
    while answers:
        trace.serve(app, "/nowhere")


@scenario
def handler_that_returns_its_error(side: Side, trace: Trace) -> None:
    """A handler may return the HTTP error that it received."""
    app = trace.app()
    app.register_error_handler(HTTPException, lambda error: error)
    trace.serve(app, "/nowhere")
    trace.serve(app, "/boom")


@scenario
def handler_sees_its_error_as_current(side: Side, trace: Trace) -> None:
    """While a handler runs, sys.exc_info returns the error."""
    import sys

    app = trace.app()
    app.register_error_handler(Boom, lambda error: str(sys.exc_info()[1] is error))
    app.register_error_handler(404, lambda error: str(sys.exc_info()[1] is error))
    trace.serve(app, "/boom")
    trace.serve(app, "/nowhere")


@scenario
def handler_raises_another_handled_class(side: Side, trace: Trace) -> None:
    """An error raised by a handler is not passed to the handler for its class, only to the one for 500."""
    app = trace.app()

    @app.errorhandler(Boom)
    def handler(error: Boom) -> None:
        raise Other("from handler")

    app.register_error_handler(Other, named(trace, "Other"))
    trace.serve(app, "/boom")
    app.register_error_handler(500, lambda error: trace("500", error.original_exception) or ("500", 500))
    trace.serve(app, "/boom")


@scenario
def errors_of_hooks_find_handlers(side: Side, trace: Trace) -> None:
    """Errors of before_request and before_first_request are handled by class, but not those of after_request."""
    for name in ("before_first_request", "before_request", "url_value_preprocessor", "after_request"):
        app = trace.app()
        app.register_error_handler(Boom, named(trace, "Boom"))

        def failing(*arguments: Any, name: str = name) -> None:
            raise Boom(name)

        getattr(app, name)(failing)
        trace("hook", name)
        trace.serve(app, "/")


@scenario
def handler_for_a_base_exception(side: Side, trace: Trace) -> None:
    """Only subclasses of Exception are handled, even if a handler was registered for another class."""
    app = trace.bare()
    trace.attempt("register", lambda: app.register_error_handler(Crash, named(trace, "Crash")))
    raising(app, Crash("view"))
    trace.serve(app, "/Crash")


def matrix(trace: Trace, names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    for combination in product(values, repeat=len(names)):
        yield dict(zip(names, combination))


@scenario
def settings_that_decide_about_propagation(side: Side, trace: Trace) -> None:
    """A failed view under every combination of DEBUG, TESTING, PROPAGATE_ and PRESERVE_CONTEXT_ON_EXCEPTION."""
    for debug, testing in product((False, True), repeat=2):
        for propagate, preserve in product((None, False, True), repeat=2):
            app = trace.bare()
            app.config.update(
                DEBUG=debug,
                TESTING=testing,
                PROPAGATE_EXCEPTIONS=propagate,
                PRESERVE_CONTEXT_ON_EXCEPTION=preserve,
            )
            raising(app, Boom("b"))
            trace("settings", debug, testing, propagate, preserve)
            trace("so", app.propagate_exceptions, app.preserve_context_on_exception)
            trace.serve(app, "/Boom")
            top = side.globals._request_ctx_stack.top
            if top is not None:
                top.pop()


@scenario
def propagation_and_handlers(side: Side, trace: Trace) -> None:
    """Propagation skips a handler for 500, but not one for the class of the error."""
    for handled in (500, Boom, Exception):
        app = trace.bare()
        app.config["PROPAGATE_EXCEPTIONS"] = True
        app.register_error_handler(handled, named(trace, str(trace.plain(handled)), 500))
        raising(app, Boom("b"))
        trace.serve(app, "/Boom")


@scenario
def trapped_http_exceptions(side: Side, trace: Trace) -> None:
    """With TRAP_HTTP_EXCEPTIONS, HTTP errors are handled by class but not by code, or else give a 500."""
    app = trace.app()
    app.config["TRAP_HTTP_EXCEPTIONS"] = True
    raising(app, Forbidden)
    trace.serve(app, "/nowhere")
    trace.serve(app, "/Forbidden")
    app.register_error_handler(403, named(trace, "403"))
    trace.serve(app, "/Forbidden")
    app.register_error_handler(NotFound, named(trace, "NotFound"))
    trace.serve(app, "/nowhere")


@scenario
def trapped_redirect_of_the_routing(side: Side, trace: Trace) -> None:
    """TRAP_HTTP_EXCEPTIONS also applies to redirects of the routing."""
    app = trace.bare()
    app.config["TRAP_HTTP_EXCEPTIONS"] = True
    app.add_url_rule("/dir/", "dir", lambda: "dir")
    trace.serve(app, "/dir")


@scenario
def trapped_bad_requests(side: Side, trace: Trace) -> None:
    """TRAP_BAD_REQUEST_ERRORS and DEBUG decide whether a missing form key and other 400s propagate."""
    for debug, trap in product((False, True), (None, False, True)):
        app = trace.bare()
        app.config.update(
            DEBUG=debug, TRAP_BAD_REQUEST_ERRORS=trap, PROPAGATE_EXCEPTIONS=False, PRESERVE_CONTEXT_ON_EXCEPTION=False
        )
        app.add_url_rule("/key", "key", lambda: side.flask.request.args["missing"])
        raising(app, BadRequest, Forbidden)
        trace("settings", debug, trap)
        for path in ("/key", "/BadRequest", "/Forbidden"):
            trace.serve(app, path)


@scenario
def name_of_a_missing_key_is_shown_in_debug(side: Side, trace: Trace) -> None:
    """The 400 for a missing key names it only with DEBUG or TRAP_BAD_REQUEST_ERRORS."""
    for debug, trap in product((False, True), (None, False, True)):
        app = trace.bare()
        app.config.update(DEBUG=debug, TRAP_BAD_REQUEST_ERRORS=trap)
        app.add_url_rule("/", "index", lambda: side.flask.request.args["secretkey"])

        @app.errorhandler(BadRequestKeyError)
        def handler(error: BadRequestKeyError) -> tuple[str, int]:
            return "named" if "secretkey" in str(error) else "not named", 400

        trace("settings", debug, trap)
        trace.serve(app, "/")


@scenario
def missing_key_is_a_key_error_and_a_bad_request(side: Side, trace: Trace) -> None:
    """A missing key of args, form or cookies is a 400 and a KeyError. Handlers of both receive it."""
    app = trace.bare()

    @app.route("/caught")
    def caught() -> str:
        try:
            return side.flask.request.args["missing"]
        except KeyError as error:
            return type(error).__name__

    app.add_url_rule("/key", "key", lambda: side.flask.request.form["missing"])
    trace.serve(app, "/caught")
    trace.serve(app, "/key")
    app.register_error_handler(KeyError, named(trace, "KeyError"))
    trace.serve(app, "/key")
    app.register_error_handler(400, named(trace, "400"))
    trace.serve(app, "/key")


@scenario
def missing_file_of_an_ordinary_form_in_debug(side: Side, trace: Trace) -> None:
    """With DEBUG, the error for a missing file explains it if the form was not sent as multipart."""
    for debug in (False, True):
        app = trace.bare()
        app.config.update(DEBUG=debug, PRESERVE_CONTEXT_ON_EXCEPTION=False)

        @app.route("/", methods=["POST"])
        def upload() -> str:
            try:
                return side.flask.request.files["photo"].filename
            except KeyError as error:
                trace("missing", isinstance(error, AssertionError), "multipart/form-data" in str(error))
                raise

        kind = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
        trace.serve(app, "/", "POST", body=b"photo=me.jpg", **kind)
        trace.serve(app, "/", "POST", body=b"other=me.jpg", **kind)


@scenario
def json_that_cannot_be_read(side: Side, trace: Trace) -> None:
    """get_json of an invalid body is a 400 with an explanation with DEBUG. With silent, it returns None."""
    for debug in (False, True):
        app = trace.bare()
        app.debug = debug

        @app.route("/", methods=["POST"])
        def view() -> str:
            trace("silent", side.flask.request.get_json(silent=True))
            return side.flask.jsonify(side.flask.request.get_json())

        app.register_error_handler(400, named(trace, "400", 400))
        trace.serve(app, "/", "POST", body=b"{broken", CONTENT_TYPE="application/json")
        trace.serve(app, "/", "POST", body=b'{"a": 1}', CONTENT_TYPE="application/json")


@scenario
def abort_in_every_form(side: Side, trace: Trace) -> None:
    """abort takes a code, a response or an error. An unknown code is a LookupError."""
    app = trace.bare()
    calls = {
        "code": lambda: side.flask.abort(409),
        "described": lambda: side.flask.abort(409, description="why"),
        "positional": lambda: side.flask.abort(409, "why"),
        "response": lambda: side.flask.abort(side.flask.Response("made", 202)),
        "unknown": lambda: side.flask.abort(999),
        "method": lambda: side.flask.abort(405, valid_methods=["PUT"]),
    }

    @app.errorhandler(Conflict)
    def handler(error: Conflict) -> tuple[str, int]:
        return f"described: {error.description == 'why'}", 409

    for name, call in calls.items():
        app.add_url_rule(f"/{name}", name, call)
        trace.serve(app, f"/{name}")


@scenario
def http_error_returned_by_a_view(side: Side, trace: Trace) -> None:
    """If a view returns an HTTP error, that is the response, and no handler is called."""
    app = trace.app()
    app.register_error_handler(404, named(trace, "404"))
    app.add_url_rule("/returned", "returned", lambda: NotFound())
    trace.serve(app, "/returned")


@scenario
def error_inside_the_exception_signal(side: Side, trace: Trace) -> None:
    """The order of signal, log, handler and response for a failed view, with the error at each point."""
    app = trace.app()
    app.register_error_handler(500, lambda error: trace("handler", error.original_exception) or ("500", 500))
    app.log_exception = lambda exc_info: trace("log_exception", *exc_info[:2])
    trace.serve(app, "/boom")


@scenario
def handle_methods_called_by_hand(side: Side, trace: Trace) -> None:
    """The handle methods return the answer of a handler or the error, or raise the error."""
    app = trace.bare()
    app.register_error_handler(Base, named(trace, "Base"))
    app.register_error_handler(404, named(trace, "404", 404))

    def handled(method: str, error: Exception) -> Any:
        try:
            raise error
        except Exception:
            return getattr(app, method)(error)

    with app.test_request_context("/"):
        for method in ("handle_http_exception", "handle_user_exception", "handle_exception"):
            for error in (NotFound(), Forbidden(), Leaf("leaf"), Boom("unhandled")):
                if method != "handle_http_exception" or isinstance(error, HTTPException):
                    trace.attempt(method, handled, method, error)


@scenario(needs="blinker")
def failing_signal_receivers(side: Side, trace: Trace) -> None:
    """An error of a receiver of a request signal fails the request at that point."""
    for name in ("request_started", "request_finished", "got_request_exception", "request_tearing_down"):
        app = trace.app()

        def receiver(sender: Any, name: str = name, **arguments: Any) -> None:
            raise Boom(name)

        trace("failing", name)
        with getattr(side.signals, name).connected_to(receiver, app):
            trace.serve(app, "/boom")


@scenario(needs="blinker")
def failing_application_context_signal_receivers(side: Side, trace: Trace) -> None:
    """An error of a receiver of the signals of a pop is raised by it. The context is no longer on the stack."""
    for name in ("appcontext_tearing_down", "appcontext_popped"):
        app = trace.app()

        def receiver(sender: Any, name: str = name, **arguments: Any) -> None:
            raise Boom(name)

        trace("failing", name)
        context = app.app_context()
        with getattr(side.signals, name).connected_to(receiver, app):
            trace.attempt("push", context.push)
            trace.attempt("pop", context.pop)
