"""Which error each teardown function sees, and what still runs after a failure anywhere in a request."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import NotFound, RequestEntityTooLarge

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Crash, Trace, scenario


def fail(error: BaseException) -> Any:
    """A function that raises ``error`` whatever it is called with."""

    def failing(*arguments: Any) -> Any:
        raise error

    return failing


@scenario
def handled_error_is_not_seen(side: Side, trace: Trace) -> None:
    """An error that a handler answered is none for teardown."""
    app = trace.app()

    @app.errorhandler(Boom)
    def handler(error: Boom) -> str:
        trace("handler", error)
        return "handled"

    trace.serve(app, "/boom")


@scenario
def http_error_is_not_seen(side: Side, trace: Trace) -> None:
    """An HTTP error answered by default, and one for an unknown URL, are none for teardown."""
    app = trace.app()
    app.add_url_rule("/gone", "gone", lambda: side.flask.abort(410))
    trace.serve(app, "/gone")
    trace.serve(app, "/nowhere")


@scenario
def unhandled_error_is_seen(side: Side, trace: Trace) -> None:
    """An error answered with the plain 500 is seen by both teardowns."""
    trace.serve(trace.app(), "/boom")


@scenario
def error_answered_by_a_500_handler_is_seen(side: Side, trace: Trace) -> None:
    """A handler for 500 gives the answer; teardown still sees the view's error."""
    app = trace.app()

    @app.errorhandler(500)
    def handler(error: Any) -> tuple[str, int]:
        trace("handler", error, error.original_exception)
        return "five hundred", 500

    trace.serve(app, "/boom")


@scenario
def propagated_error_is_seen(side: Side, trace: Trace) -> None:
    """An error that goes on to the server is seen by both teardowns first."""
    app = trace.app()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    trace.serve(app, "/boom")


@scenario
def error_of_an_error_handler_replaces_the_first(side: Side, trace: Trace) -> None:
    """An error raised by a handler for the view's error is the one that is logged, signalled and seen."""
    app = trace.app()
    app.register_error_handler(Boom, fail(Boom("handler")))
    trace.serve(app, "/boom")


@scenario
def error_of_a_500_handler_goes_to_the_server(side: Side, trace: Trace) -> None:
    """A handler for 500 that raises leaves nothing to answer with; teardown sees the view's error."""
    app = trace.app()
    app.register_error_handler(500, fail(Boom("handler")))
    trace.serve(app, "/boom")


@scenario
def error_of_a_404_handler(side: Side, trace: Trace) -> None:
    """A handler for 404 that raises makes it a failed request."""
    app = trace.app()
    app.register_error_handler(404, fail(Boom("handler")))
    trace.serve(app, "/nowhere")


@scenario
def http_error_of_an_error_handler(side: Side, trace: Trace) -> None:
    """An HTTP error raised by a handler is not handled again, so it ends in the 500."""
    app = trace.app()
    app.register_error_handler(Boom, fail(NotFound()))
    app.register_error_handler(404, lambda error: ("not found", 404))
    trace.serve(app, "/boom")


@scenario
def error_in_before_first_request(side: Side, trace: Trace) -> None:
    """A failing before_first_request function fails the request, and runs again with the next."""
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
    """A failing before_request function is handled as a failing view."""
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
    """A failing preprocessor is handled as a failing view; before_request doesn't run."""
    app = trace.app()
    app.url_value_preprocessor(fail(Boom("preprocessor")))
    trace.serve(app, "/")


@scenario
def error_in_after_request(side: Side, trace: Trace) -> None:
    """A failing after_request function makes it a 500; after_request runs again over that and fails again, logged."""
    app = trace.app()
    app.after_request(fail(Boom("after_request")))
    app.after_request(lambda response: trace("runs first") or response)
    trace.serve(app, "/")


@scenario
def error_in_after_request_once(side: Side, trace: Trace) -> None:
    """A function that fails the first time only lets the 500 go through all after_request functions."""
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
    """An HTTP error raised by an after_request function is a failure, not an answer."""
    app = trace.app()
    app.after_request(fail(NotFound()))
    trace.serve(app, "/")


@scenario
def error_in_after_request_after_a_failed_view(side: Side, trace: Trace) -> None:
    """While the 500 for a failed view is finished, an error in after_request is logged and the 500 goes out."""
    app = trace.app()
    app.after_request(fail(Boom("after_request")))
    trace.serve(app, "/boom")


@scenario
def error_in_after_this_request(side: Side, trace: Trace) -> None:
    """A failing after_this_request function is a failure of the request, and it runs again over the 500."""
    app = trace.app()

    @app.route("/defer")
    def defer() -> str:
        side.flask.after_this_request(fail(Boom("after_this_request")))
        return "deferred"

    trace.serve(app, "/defer")


@scenario
def error_in_saving_the_session(side: Side, trace: Trace) -> None:
    """A session that can't be saved fails the request after all after_request functions, and again over the 500."""

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
    """A value that JSON doesn't know is a TypeError while the request is finished, hence a 500 and a second try."""
    app = trace.app()
    app.secret_key = "key"

    @app.route("/put")
    def put() -> str:
        side.flask.session["value"] = object()
        return "put"

    trace.serve(app, "/put")


@scenario
def view_that_answers_nothing(side: Side, trace: Trace) -> None:
    """A view that returns None fails as if it had raised the TypeError."""
    app = trace.app()
    app.add_url_rule("/nothing", "nothing", lambda: None)
    trace.serve(app, "/nothing")


@scenario
def handler_that_answers_nothing(side: Side, trace: Trace) -> None:
    """An error handler that returns None fails the request anew; a 500 handler that does lets the TypeError out."""
    app = trace.app()
    app.register_error_handler(Boom, lambda error: None)
    trace.serve(app, "/boom")
    app.register_error_handler(500, lambda error: None)
    trace.serve(app, "/boom")


@scenario
def teardown_functions_run_last_first(side: Side, trace: Trace) -> None:
    """Teardown functions of both kinds run in the opposite order of their registration."""
    app = trace.app()
    for number in (1, 2, 3):
        app.teardown_request(lambda error, number=number: trace("request", number))
        app.teardown_appcontext(lambda error, number=number: trace("application", number))
    trace.serve(app, "/")


@scenario
def teardown_result_is_ignored(side: Side, trace: Trace) -> None:
    """What a teardown function returns changes nothing."""
    app = trace.app()
    app.teardown_request(lambda error: "other answer")
    app.teardown_appcontext(lambda error: True)
    trace.serve(app, "/boom")


@scenario
def failing_teardown_request(side: Side, trace: Trace) -> None:
    """A failing teardown_request function stops the others; the application context still goes, seeing no error."""
    app = trace.app()
    app.teardown_request(fail(Boom("teardown_request")))
    app.teardown_request(lambda error: trace("runs first", error))
    trace.serve(app, "/")


@scenario
def failing_teardown_request_after_a_failed_view(side: Side, trace: Trace) -> None:
    """The teardown's error goes to the server in place of the 500; teardown_appcontext sees the view's."""
    app = trace.app()
    app.teardown_request(fail(Boom("teardown_request")))
    trace.serve(app, "/boom")


@scenario
def failing_teardown_request_after_a_propagated_error(side: Side, trace: Trace) -> None:
    """Of a propagated error and a failing teardown the server sees the latter."""
    app = trace.app()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.teardown_request(fail(Boom("teardown_request")))
    trace.serve(app, "/boom")


@scenario
def failing_teardown_appcontext(side: Side, trace: Trace) -> None:
    """A failing teardown_appcontext function stops the others, and both stacks are empty nevertheless."""
    app = trace.app()
    app.teardown_appcontext(fail(Boom("teardown_appcontext")))
    app.teardown_appcontext(lambda error: trace("runs first", error))
    trace.serve(app, "/")
    trace.serve(app, "/boom")


@scenario
def both_teardowns_fail(side: Side, trace: Trace) -> None:
    """When both kinds of teardown fail the server sees the later error, and both stacks are empty."""
    app = trace.app()
    app.teardown_request(fail(Boom("teardown_request")))
    app.teardown_appcontext(fail(Boom("teardown_appcontext")))
    trace.serve(app, "/")


@scenario
def crash_in_a_teardown(side: Side, trace: Trace) -> None:
    """A teardown that raises what is no Exception is treated like any other failing one."""
    app = trace.app()
    app.teardown_request(fail(Crash("teardown_request")))
    trace.serve(app, "/")


@scenario
def failing_teardown_of_a_block(side: Side, trace: Trace) -> None:
    """A failing teardown at the end of a with block leaves both stacks empty, its error in place of the block's."""
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
    """A failing teardown of the inner context leaves the outer one in working order."""
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
    """A teardown function may call the app: the inner request nests in the ending one."""
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
    """What is no Exception passes handlers, hooks and log by, is seen by teardown and goes to the server."""
    app = trace.app()
    app.add_url_rule("/crash", "crash", fail(Crash("view")))
    trace.serve(app, "/crash")


@scenario
def crash_in_each_hook(side: Side, trace: Trace) -> None:
    """What is no Exception ends the request from wherever it is raised."""
    for register in ("before_request", "url_value_preprocessor", "after_request"):
        app = trace.app()
        trace("hook", register)
        getattr(app, register)(fail(Crash(register)))
        trace.serve(app, "/")
        trace.serve(app, "/boom")


@scenario
def crash_in_an_error_handler(side: Side, trace: Trace) -> None:
    """A handler that raises what is no Exception ends the request with that."""
    app = trace.app()
    app.register_error_handler(Boom, fail(Crash("handler")))
    trace.serve(app, "/boom")


@scenario
def generator_exit_and_keyboard_interrupt(side: Side, trace: Trace) -> None:
    """The interpreter's own exits are as any other that is no Exception."""
    for error in (KeyboardInterrupt(), SystemExit(1), GeneratorExit()):
        app = trace.app()
        app.add_url_rule("/leave", "leave", fail(error))
        trace.serve(app, "/leave")


@scenario
def server_that_fails_to_start_the_response(side: Side, trace: Trace) -> None:
    """An error of start_response is seen by teardown only if it comes through handling; the context is gone."""
    app = trace.app()

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        trace("start_response", status)
        raise Boom("start_response")

    trace.attempt("call", app, trace.environ("/"), start_response)


@scenario
def error_in_the_body_comes_after_teardown(side: Side, trace: Trace) -> None:
    """A body that fails while it is sent does so when the contexts are gone, and teardown has seen nothing."""
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
    """Functions to be called when the response is closed run outside of both contexts."""
    app = trace.app()

    @app.route("/closing")
    def closing() -> Any:
        response = side.flask.Response("closing")
        response.call_on_close(lambda: trace("call_on_close", bool(side.flask.request), bool(side.flask.current_app)))
        return response

    trace.serve(app, "/closing")


@scenario
def request_is_closed_after_teardown(side: Side, trace: Trace) -> None:
    """The request's close runs after teardown_request and its signal, before the application context goes."""

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
    """A request whose close fails leaves both stacks empty, the error going to the server."""

    class Closing(side.flask.Request):
        def close(self):
            raise Boom("close")

    app = trace.app()
    app.request_class = Closing
    trace.serve(app, "/")


@scenario
def teardown_called_by_hand(side: Side, trace: Trace) -> None:
    """The two do_teardown methods take an error, else the one being handled, and pop nothing."""
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
    """teardown_request runs for a hand-pushed context in which nothing was dispatched."""
    app = trace.app()
    with app.test_request_context("/boom"):
        trace("nothing dispatched")


@scenario
def early_answer_is_torn_down_like_any(side: Side, trace: Trace) -> None:
    """Teardown runs after an early answer of before_request."""
    app = trace.app()
    app.before_request(lambda: "early")
    trace.serve(app, "/boom")


@scenario
def http_error_of_a_view_with_its_own_response(side: Side, trace: Trace) -> None:
    """abort with a response answers with that response as it is."""
    app = trace.app()
    app.add_url_rule("/stop", "stop", lambda: side.flask.abort(side.flask.Response("stopped", status=418)))
    trace.serve(app, "/stop")


@scenario
def body_larger_than_allowed(side: Side, trace: Trace) -> None:
    """MAX_CONTENT_LENGTH turns reading a larger form into a 413, handled as an HTTP error."""
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
    """An error raised while another is handled keeps that one as its context, up to the server."""
    app = trace.app()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.register_error_handler(Boom, fail(Boom("handler")))

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        trace("chain", error, error and error.__context__)

    trace.serve(app, "/boom")


@scenario
def error_is_the_same_object_throughout(side: Side, trace: Trace) -> None:
    """Signal, handler, teardown and server are given the very error that the view raised."""
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
