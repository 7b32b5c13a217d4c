"""The errors that teardown functions receive, and the functions that still run after a failure."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import NotFound, RequestEntityTooLarge

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Crash, Trace, scenario


def fail(error: BaseException) -> Any:
    """Return a function that raises ``error`` for any arguments."""

    def failing(*arguments: Any) -> Any:
        raise error

    return failing


@scenario
def handled_error_is_not_seen(side: Side, trace: Trace) -> None:
    """Teardown functions do not receive a handled error."""
    app = trace.app()

    @app.errorhandler(Boom)
    def handler(error: Boom) -> str:
        trace("handler", error)
        return "handled"

    trace.serve(app, "/boom")


@scenario
def http_error_is_not_seen(side: Side, trace: Trace) -> None:
    """Teardown functions do not receive an HTTP error without a handler, or that of an unknown URL."""
    app = trace.app()
    app.add_url_rule("/gone", "gone", lambda: side.flask.abort(410))
    trace.serve(app, "/gone")
    trace.serve(app, "/nowhere")


@scenario
def unhandled_error_is_seen(side: Side, trace: Trace) -> None:
    """Both teardowns receive an error that is answered with the plain 500."""
    trace.serve(trace.app(), "/boom")


@scenario
def error_answered_by_a_500_handler_is_seen(side: Side, trace: Trace) -> None:
    """A handler for 500 answers, but teardown functions receive the error of the view."""
    app = trace.app()

    @app.errorhandler(500)
    def handler(error: Any) -> tuple[str, int]:
        trace("handler", error, error.original_exception)
        return "five hundred", 500

    trace.serve(app, "/boom")


@scenario
def propagated_error_is_seen(side: Side, trace: Trace) -> None:
    """Both teardowns receive an error before it propagates to the server."""
    app = trace.app()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    trace.serve(app, "/boom")


@scenario
def error_of_an_error_handler_replaces_the_first(side: Side, trace: Trace) -> None:
    """If a handler raises an error, that error is logged, sent and passed to teardown."""
    app = trace.app()
    app.register_error_handler(Boom, fail(Boom("handler")))
    trace.serve(app, "/boom")


@scenario
def error_of_a_500_handler_goes_to_the_server(side: Side, trace: Trace) -> None:
    """If a handler for 500 raises an error, there is no response. Teardown functions receive the error of the view."""
    app = trace.app()
    app.register_error_handler(500, fail(Boom("handler")))
    trace.serve(app, "/boom")


@scenario
def error_of_a_404_handler(side: Side, trace: Trace) -> None:
    """If a handler for 404 raises an error, the request fails."""
    app = trace.app()
    app.register_error_handler(404, fail(Boom("handler")))
    trace.serve(app, "/nowhere")


@scenario
def http_error_of_an_error_handler(side: Side, trace: Trace) -> None:
    """An HTTP error raised by a handler is not handled, so the response is a 500."""
    app = trace.app()
    app.register_error_handler(Boom, fail(NotFound()))
    app.register_error_handler(404, lambda error: ("not found", 404))
    trace.serve(app, "/boom")


@scenario
def error_in_before_first_request(side: Side, trace: Trace) -> None:
    """A failing before_first_request function fails the request, and runs again in the next one."""
    app = trace.app()
    errors = [Boom("once")]

    @app.before_first_request
    def failing() -> None:
        trace("failing", len(errors))
        if errors:
            raise errors.pop()

    trace.serve(app, "/")
    trace.serve(app, "/")
    trace.serve(app, "/")


@scenario
def error_in_before_request(side: Side, trace: Trace) -> None:
    """A failing before_request function is handled like a failing view."""
    app = trace.app()
    app.before_request(fail(Boom("before_request")))
    app.before_request(lambda: trace("not reached"))
    trace.serve(app, "/")


@scenario
def http_error_in_before_request(side: Side, trace: Trace) -> None:
    """A before_request function may abort."""
    app = trace.app()
    app.before_request(lambda: side.flask.abort(403))
    trace.serve(app, "/")


@scenario
def error_in_a_url_value_preprocessor(side: Side, trace: Trace) -> None:
    """A failing preprocessor is handled like a failing view. before_request functions do not run."""
    app = trace.app()
    app.url_value_preprocessor(fail(Boom("preprocessor")))
    trace.serve(app, "/")


@scenario
def error_in_after_request(side: Side, trace: Trace) -> None:
    """A failing after_request function causes a 500. It runs again for the 500, fails again, and is logged."""
    app = trace.app()
    app.after_request(fail(Boom("after_request")))
    app.after_request(lambda response: trace("runs first") or response)
    trace.serve(app, "/")


@scenario
def error_in_after_request_once(side: Side, trace: Trace) -> None:
    """If a function fails only the first time, the 500 is passed through all after_request functions."""
    app = trace.app()
    errors = [Boom("after_request")]

    @app.after_request
    def failing(response: Any) -> Any:
        if errors:
            raise errors.pop()
        trace("again", response)
        return response

    trace.serve(app, "/")


@scenario
def http_error_in_after_request(side: Side, trace: Trace) -> None:
    """An HTTP error raised by an after_request function fails the request, and is not the response."""
    app = trace.app()
    app.after_request(fail(NotFound()))
    trace.serve(app, "/")


@scenario
def error_in_after_request_after_a_failed_view(side: Side, trace: Trace) -> None:
    """An error of after_request for the 500 of a failed view is logged, and the 500 is returned."""
    app = trace.app()
    app.after_request(fail(Boom("after_request")))
    trace.serve(app, "/boom")


@scenario
def error_in_after_this_request(side: Side, trace: Trace) -> None:
    """A failing after_this_request function fails the request, and runs again for the 500."""
    app = trace.app()

    @app.route("/defer")
    def defer() -> str:
        side.flask.after_this_request(fail(Boom("after_this_request")))
        return "deferred"

    trace.serve(app, "/defer")


@scenario
def error_in_saving_the_session(side: Side, trace: Trace) -> None:
    """Saving the session fails after all after_request functions, and again for the 500."""

    class Failing(side.sessions.SecureCookieSessionInterface):
        def save_session(self, app, session, response):
            trace("save_session", response)
            raise Boom("save_session")

    app = trace.app()
    app.secret_key = "key"
    app.session_interface = Failing()
    trace.serve(app, "/")


@scenario
def session_value_that_cannot_be_saved(side: Side, trace: Trace) -> None:
    """A value that JSON does not support raises a TypeError when the session is saved, and again for the 500."""
    app = trace.app()
    app.secret_key = "key"

    @app.route("/put")
    def put() -> str:
        side.flask.session["value"] = object()
        return "put"

    trace.serve(app, "/put")


@scenario
def view_that_answers_nothing(side: Side, trace: Trace) -> None:
    """A view that returns None fails as if it raised the TypeError."""
    app = trace.app()
    app.add_url_rule("/nothing", "nothing", lambda: None)
    trace.serve(app, "/nothing")


@scenario
def handler_that_answers_nothing(side: Side, trace: Trace) -> None:
    """An error handler that returns None fails the request. For a 500 handler, the TypeError propagates."""
    app = trace.app()
    app.register_error_handler(Boom, lambda error: None)
    trace.serve(app, "/boom")
    app.register_error_handler(500, lambda error: None)
    trace.serve(app, "/boom")


@scenario
def teardown_functions_run_last_first(side: Side, trace: Trace) -> None:
    """Teardown functions of both kinds run in reverse order of their registration."""
    app = trace.app()
    for number in (1, 2, 3):
        app.teardown_request(lambda error, number=number: trace("request", number))
        app.teardown_appcontext(lambda error, number=number: trace("application", number))
    trace.serve(app, "/")


@scenario
def teardown_result_is_ignored(side: Side, trace: Trace) -> None:
    """The return values of teardown functions are ignored."""
    app = trace.app()
    app.teardown_request(lambda error: "other answer")
    app.teardown_appcontext(lambda error: True)
    trace.serve(app, "/boom")


@scenario
def failing_teardown_request(side: Side, trace: Trace) -> None:
    """After a failing teardown_request function, the others do not run. teardown_appcontext receives no error."""
    app = trace.app()
    app.teardown_request(fail(Boom("teardown_request")))
    app.teardown_request(lambda error: trace("runs first", error))
    trace.serve(app, "/")


@scenario
def failing_teardown_request_after_a_failed_view(side: Side, trace: Trace) -> None:
    """The server gets the error of teardown instead of the 500. teardown_appcontext receives that of the view."""
    app = trace.app()
    app.teardown_request(fail(Boom("teardown_request")))
    trace.serve(app, "/boom")


@scenario
def failing_teardown_request_after_a_propagated_error(side: Side, trace: Trace) -> None:
    """Of a propagated error and a failing teardown, the server gets the second."""
    app = trace.app()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.teardown_request(fail(Boom("teardown_request")))
    trace.serve(app, "/boom")


@scenario
def failing_teardown_appcontext(side: Side, trace: Trace) -> None:
    """After a failing teardown_appcontext function, the others do not run, but both stacks are empty."""
    app = trace.app()
    app.teardown_appcontext(fail(Boom("teardown_appcontext")))
    app.teardown_appcontext(lambda error: trace("runs first", error))
    trace.serve(app, "/")
    trace.serve(app, "/boom")


@scenario
def both_teardowns_fail(side: Side, trace: Trace) -> None:
    """If both kinds of teardown fail, the server gets the later error, and both stacks are empty."""
    app = trace.app()
    app.teardown_request(fail(Boom("teardown_request")))
    app.teardown_appcontext(fail(Boom("teardown_appcontext")))
    trace.serve(app, "/")


@scenario
def crash_in_a_teardown(side: Side, trace: Trace) -> None:
    """A teardown error that is not an Exception is like any other."""
    app = trace.app()
    app.teardown_request(fail(Crash("teardown_request")))
    trace.serve(app, "/")


@scenario
def failing_teardown_of_a_block(side: Side, trace: Trace) -> None:
    """A failing teardown at the end of a block replaces the error of the block, and both stacks are empty."""
    app = trace.app()
    app.teardown_request(fail(Boom("teardown_request")))
    with trace.catching("good block"):
        with app.test_request_context("/"):
            trace("inside")
    with trace.catching("failing block"):
        with app.test_request_context("/"):
            raise Boom("block")


@scenario
def failing_application_teardown_of_a_block(side: Side, trace: Trace) -> None:
    """A failing teardown_appcontext at the end of ``with app.app_context()`` leaves the stack empty."""
    app = trace.app()
    app.teardown_appcontext(fail(Boom("teardown_appcontext")))
    with trace.catching("block"):
        with app.app_context():
            trace("inside")


@scenario
def failing_teardown_in_a_nested_context(side: Side, trace: Trace) -> None:
    """After a failing teardown of the inner context, the outer one is unchanged."""
    app = trace.app()
    errors = [Boom("teardown_request")]

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        if errors:
            raise errors.pop()

    with app.test_request_context("/?n=outer"):
        with trace.catching("inner"):
            with app.test_request_context("/?n=inner"):
                trace("inside")
        trace("outer", side.flask.request.args["n"])


@scenario
def teardown_that_makes_a_request(side: Side, trace: Trace) -> None:
    """A teardown function can make a request to the application, inside of the one that ends."""
    app = trace.app()
    calls = [1]

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        if calls:
            calls.pop()
            trace.serve(app, "/?n=inner")

    trace.serve(app, "/?n=outer")


@scenario
def crash_in_a_view(side: Side, trace: Trace) -> None:
    """An error that is not an Exception skips handlers, hooks and log. Teardown and the server get it."""
    app = trace.app()
    app.add_url_rule("/crash", "crash", fail(Crash("view")))
    trace.serve(app, "/crash")


@scenario
def crash_in_each_hook(side: Side, trace: Trace) -> None:
    """An error that is not an Exception ends the request at any point."""
    for register in ("before_request", "url_value_preprocessor", "after_request"):
        app = trace.app()
        trace("hook", register)
        getattr(app, register)(fail(Crash(register)))
        trace.serve(app, "/")
        trace.serve(app, "/boom")


@scenario
def crash_in_an_error_handler(side: Side, trace: Trace) -> None:
    """A handler that raises an error that is not an Exception ends the request with that error."""
    app = trace.app()
    app.register_error_handler(Boom, fail(Crash("handler")))
    trace.serve(app, "/boom")


@scenario
def generator_exit_and_keyboard_interrupt(side: Side, trace: Trace) -> None:
    """SystemExit and KeyboardInterrupt are like other errors that are not an Exception."""
    for error in (KeyboardInterrupt(), SystemExit(1), GeneratorExit()):
        app = trace.app()
        app.add_url_rule("/leave", "leave", fail(error))
        trace.serve(app, "/leave")


@scenario
def server_that_fails_to_start_the_response(side: Side, trace: Trace) -> None:
    """Teardown functions receive an error of start_response only if error handling called it. No context is left."""
    app = trace.app()

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        trace("start_response", status)
        raise Boom("start_response")

    trace.attempt("call", app, trace.environ("/"), start_response)


@scenario
def error_in_the_body_comes_after_teardown(side: Side, trace: Trace) -> None:
    """A body fails after the contexts were popped, so teardown functions do not receive its error."""
    app = trace.app()

    @app.route("/body")
    def body() -> Any:
        def generate() -> Any:
            yield "first"
            raise Boom("body")

        return side.flask.Response(generate())

    trace.serve(app, "/body")


@scenario
def call_on_close_comes_after_teardown(side: Side, trace: Trace) -> None:
    """Functions that are called when the response is closed run outside of both contexts."""
    app = trace.app()

    @app.route("/closing")
    def closing() -> Any:
        response = side.flask.Response("closing")
        response.call_on_close(lambda: trace("call_on_close", bool(side.flask.request), bool(side.flask.current_app)))
        return response

    trace.serve(app, "/closing")


@scenario
def request_is_closed_after_teardown(side: Side, trace: Trace) -> None:
    """The request is closed after teardown_request and its signal, before the application context is popped."""

    class Closing(side.flask.Request):
        def close(self):
            trace("request.close")
            super().close()

    app = trace.app()
    app.request_class = Closing
    trace.serve(app, "/")
    trace.serve(app, "/boom")


@scenario
def failing_close_of_the_request(side: Side, trace: Trace) -> None:
    """If closing a request fails, both stacks are empty and the server gets the error."""

    class Closing(side.flask.Request):
        def close(self):
            raise Boom("close")

    app = trace.app()
    app.request_class = Closing
    trace.serve(app, "/")


@scenario
def teardown_called_by_hand(side: Side, trace: Trace) -> None:
    """The do_teardown methods take an error, by default the one being handled, and pop nothing."""
    app = trace.app()
    with app.test_request_context("/"):
        for teardown in (app.do_teardown_request, app.do_teardown_appcontext):
            trace("no argument", teardown())
            teardown(Boom("given"))
            teardown(None)
            try:
                raise Boom("being handled")
            except Boom:
                teardown()


@scenario
def teardown_without_a_request_served(side: Side, trace: Trace) -> None:
    """teardown_request runs for a context that was pushed by hand, without dispatching."""
    app = trace.app()
    with app.test_request_context("/boom"):
        trace("nothing dispatched")


@scenario
def early_answer_is_torn_down_like_any(side: Side, trace: Trace) -> None:
    """Teardown functions run after an early answer of before_request."""
    app = trace.app()
    app.before_request(lambda: "early")
    trace.serve(app, "/boom")


@scenario
def http_error_of_a_view_with_its_own_response(side: Side, trace: Trace) -> None:
    """abort with a response returns that response."""
    app = trace.app()
    app.add_url_rule("/stop", "stop", lambda: side.flask.abort(side.flask.Response("stopped", status=418)))
    trace.serve(app, "/stop")


@scenario
def body_larger_than_allowed(side: Side, trace: Trace) -> None:
    """With MAX_CONTENT_LENGTH, reading a larger form raises a 413, which is handled as an HTTP error."""
    app = trace.app()
    app.config["MAX_CONTENT_LENGTH"] = 8

    @app.route("/form", methods=["POST"])
    def form() -> str:
        trace("limit", side.flask.request.max_content_length)
        return side.flask.request.form.get("a", "none")

    app.register_error_handler(RequestEntityTooLarge, lambda error: ("too large", 413))
    content_type = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
    trace.serve(app, "/form", "POST", body=b"a=1", **content_type)
    trace.serve(app, "/form", "POST", body=b"a=" + b"1" * 20, **content_type)


@scenario
def error_chain_of_two_failures(side: Side, trace: Trace) -> None:
    """An error raised while another is handled keeps it as its context, also in the server."""
    app = trace.app()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.register_error_handler(Boom, fail(Boom("handler")))

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        trace("chain", error, error and error.__context__)

    trace.serve(app, "/boom")


@scenario
def error_is_the_same_object_throughout(side: Side, trace: Trace) -> None:
    """The signal, handler, teardown and server get the same error object that the view raised."""
    app = trace.app()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    error = Boom("the one")
    app.add_url_rule("/one", "one", fail(error))
    app.teardown_request(lambda seen: trace("teardown_request", seen is error))
    app.teardown_appcontext(lambda seen: trace("teardown_appcontext", seen is error))
    app.handle_exception = lambda seen, handle=app.handle_exception: trace("handle", seen is error) or handle(seen)
    try:
        app(trace.environ("/one"), lambda *arguments: None)
    except Boom as seen:
        trace("server", seen is error)
