"""The order of hooks and signals in a request, and what each of them can change."""

from __future__ import annotations

import threading
from typing import Any

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario


@scenario
def life_of_a_good_request(side: Side, trace: Trace) -> None:
    """The hooks and signals of a first and of a second request, in order."""
    app = trace.app()
    app.secret_key = "key"
    trace.serve(app, "/")
    trace.serve(app, "/")


@scenario
def life_of_a_failed_request(side: Side, trace: Trace) -> None:
    """The hooks and signals of a request whose view fails."""
    trace.serve(trace.app(), "/boom")


@scenario
def life_of_a_request_for_nothing(side: Side, trace: Trace) -> None:
    """All hooks run for an unknown URL. The preprocessor receives no endpoint and no values."""
    trace.serve(trace.app(), "/nowhere")


@scenario
def life_of_a_request_with_a_wrong_method(side: Side, trace: Trace) -> None:
    """All hooks run for a method that is not allowed."""
    trace.serve(trace.app(), "/", "DELETE")


@scenario
def before_and_after_functions_in_order(side: Side, trace: Trace) -> None:
    """before_request functions run in the order of registration, after_request functions in reverse order."""
    app = trace.app()
    for number in (1, 2, 3):
        app.before_first_request(lambda number=number: trace("first", number))
        app.url_value_preprocessor(lambda endpoint, values, number=number: trace("preprocessor", number))
        app.before_request(lambda number=number: trace("before", number))
        app.after_request(lambda response, number=number: trace("after", number) or response)
    trace.serve(app, "/")


@scenario
def registration_returns_the_function(side: Side, trace: Trace) -> None:
    """Every method that registers a function as a decorator returns the function."""
    app = trace.bare()

    def function(*arguments: Any) -> None:
        pass

    for name in (
        "before_first_request",
        "before_request",
        "after_request",
        "teardown_request",
        "teardown_appcontext",
        "url_value_preprocessor",
        "url_defaults",
    ):
        trace(name, getattr(app, name)(function) is function)
    trace("route", app.route("/a")(function) is function)
    trace("endpoint", app.endpoint("other")(function) is function)
    trace("errorhandler", app.errorhandler(404)(function) is function)
    with app.test_request_context("/"):
        trace("after_this_request", side.flask.after_this_request(function) is function)


@scenario
def containers_of_hooks(side: Side, trace: Trace) -> None:
    """The containers of registered functions have the structure of 1.1.4, which extensions rely on."""
    app = trace.bare()

    def function(*arguments: Any) -> None:
        pass

    trace(
        "empty",
        dict(app.before_request_funcs),
        dict(app.after_request_funcs),
        dict(app.teardown_request_funcs),
        dict(app.url_value_preprocessors),
        dict(app.url_default_functions),
        app.before_first_request_funcs,
        app.teardown_appcontext_funcs,
        app.url_build_error_handlers,
    )
    app.before_request(function)
    app.after_request(function)
    app.teardown_request(function)
    app.url_value_preprocessor(function)
    app.url_defaults(function)
    app.before_first_request(function)
    app.teardown_appcontext(function)
    for name in (
        "before_request_funcs",
        "after_request_funcs",
        "teardown_request_funcs",
        "url_value_preprocessors",
        "url_default_functions",
    ):
        trace(name, getattr(app, name) == {None: [function]})
    trace("first", app.before_first_request_funcs == [function], app.teardown_appcontext_funcs == [function])


@scenario
def hooks_put_into_their_containers(side: Side, trace: Trace) -> None:
    """Functions that an extension adds to the containers run in their place."""
    app = trace.app()
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: trace("inserted before"))
    app.after_request_funcs.setdefault(None, []).append(lambda response: trace("appended after") or response)
    app.teardown_request_funcs.setdefault(None, []).append(lambda error: trace("appended teardown"))
    app.teardown_appcontext_funcs.append(lambda error: trace("appended application teardown"))
    app.before_first_request_funcs.append(lambda: trace("appended first"))
    app.url_value_preprocessors.setdefault(None, []).append(lambda endpoint, values: trace("appended preprocessor"))
    trace.serve(app, "/")


@scenario
def first_answer_of_before_request_wins(side: Side, trace: Trace) -> None:
    """If a before_request function answers, the others and the view do not run, but all after_request functions do."""
    app = trace.app()
    app.before_request(lambda: trace("second") or "early")
    app.before_request(lambda: trace("not reached"))
    trace.serve(app, "/")
    trace.serve(app, "/nowhere")
    trace.serve(app, "/", "DELETE")


@scenario
def early_answers_in_every_form(side: Side, trace: Trace) -> None:
    """The answer of before_request is made a response like that of a view. An empty text and False are answers."""
    app = trace.bare()
    answers = [("made", 201, {"X-A": "1"}), {"a": 1}, "", b"bytes", False, 0, side.flask.Response("whole")]
    app.before_request(lambda: answers.pop(0))
    app.add_url_rule("/", "index", lambda: "view")
    while answers:
        trace.serve(app, "/")


@scenario
def preprocessor_changes_the_view_arguments(side: Side, trace: Trace) -> None:
    """A URL value preprocessor can remove values before before_request functions and the view receive them."""
    app = trace.app()

    @app.url_value_preprocessor
    def take_language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        side.flask.g.language = values.pop("language", None) if values else None

    app.before_request(lambda: trace("before", side.flask.g.language, side.flask.request.view_args))

    @app.route("/<language>/about/<int:number>")
    def about(number: int) -> str:
        return f"{side.flask.g.language} {number}"

    trace.serve(app, "/de/about/3")
    trace.serve(app, "/nowhere")


@scenario
def after_request_replaces_the_response(side: Side, trace: Trace) -> None:
    """The return value of an after_request function is passed to the next one and to the signal."""
    app = trace.app()

    @app.after_request
    def replace(response: Any) -> Any:
        trace("replace", response)
        return side.flask.Response("replaced", status=202)

    trace.serve(app, "/")


@scenario
def after_request_that_returns_nothing(side: Side, trace: Trace) -> None:
    """If an after_request function returns None, there is no response, and the server gets an error."""
    app = trace.bare()
    app.add_url_rule("/", "index", lambda: "index")
    app.after_request(lambda response: trace("last", response))
    app.after_request(lambda response: None)
    trace.serve(app, "/")


@scenario
def after_this_request_before_after_request(side: Side, trace: Trace) -> None:
    """after_this_request functions run in the order of registration, before all after_request functions."""
    app = trace.app()

    @app.route("/defer")
    def defer() -> str:
        for number in (1, 2):
            side.flask.after_this_request(lambda response, number=number: trace("this", number, response) or response)
        return "deferred"

    trace.serve(app, "/defer")
    trace.serve(app, "/")


@scenario
def after_this_request_from_anywhere(side: Side, trace: Trace) -> None:
    """after_this_request can be called in a hook, an error handler or another such function."""
    app = trace.app()

    def later(where: str) -> Any:
        return lambda response: trace("later", where, response) or response

    app.before_first_request(lambda: side.flask.after_this_request(later("before_first_request")) and None)
    app.before_request(lambda: side.flask.after_this_request(later("before_request")) and None)
    app.url_value_preprocessor(lambda *values: side.flask.after_this_request(later("preprocessor")) and None)

    @app.errorhandler(Boom)
    def handler(error: Boom) -> str:
        side.flask.after_this_request(later("handler"))
        return "handled"

    @app.before_request
    def nested() -> None:
        @side.flask.after_this_request
        def add(response: Any) -> Any:
            side.flask.after_this_request(later("after_this_request"))
            return response

    @app.after_request
    def too_late(response: Any) -> Any:
        side.flask.after_this_request(later("after_request"))
        return response

    trace.serve(app, "/boom")
    trace.serve(app, "/")


@scenario
def after_this_request_in_a_failed_request(side: Side, trace: Trace) -> None:
    """after_this_request functions of a failed view receive the 500."""
    app = trace.app()

    @app.route("/defer")
    def defer() -> str:
        side.flask.after_this_request(lambda response: trace("this", response) or response)
        raise Boom("view")

    trace.serve(app, "/defer")


@scenario
def after_this_request_in_nested_requests(side: Side, trace: Trace) -> None:
    """after_this_request registers for the innermost request."""
    app = trace.app()

    @app.route("/outer")
    def outer() -> str:
        side.flask.after_this_request(lambda response: trace("outer's", response.get_data()) or response)
        trace.serve(app, "/inner")
        return "outer"

    @app.route("/inner")
    def inner() -> str:
        side.flask.after_this_request(lambda response: trace("inner's", response.get_data()) or response)
        return "inner"

    trace.serve(app, "/outer")


@scenario
def after_this_request_replaces_the_response(side: Side, trace: Trace) -> None:
    """The return value of an after_this_request function is passed to the after_request functions."""
    app = trace.app()

    @app.route("/defer")
    def defer() -> str:
        side.flask.after_this_request(lambda response: side.flask.Response("replaced", status=202))
        return "deferred"

    trace.serve(app, "/defer")


@scenario
def process_response_by_hand(side: Side, trace: Trace) -> None:
    """process_response runs the after_request functions on any response."""
    app = trace.app()
    with app.test_request_context("/"):
        side.flask.after_this_request(lambda response: trace("this") or response)
        trace("processed", app.process_response(side.flask.Response("given")))


@scenario
def preprocess_request_by_hand(side: Side, trace: Trace) -> None:
    """preprocess_request runs preprocessors and before_request functions, and returns the first answer."""
    app = trace.app()
    with app.test_request_context("/"):
        trace("nothing", app.preprocess_request())
    app.before_request(lambda: ("early", 202))
    with app.test_request_context("/"):
        trace("answer", app.preprocess_request())


@scenario
def full_dispatch_by_hand(side: Side, trace: Trace) -> None:
    """full_dispatch_request in a context pushed by hand does everything but teardown, and raises unhandled errors."""
    app = trace.app()
    with app.test_request_context("/"):
        trace("response", app.full_dispatch_request())
    with app.test_request_context("/boom"):
        trace.attempt("failure", app.full_dispatch_request)
    with app.test_request_context("/nowhere"):
        trace("handled", app.full_dispatch_request())


@scenario
def dispatch_by_hand(side: Side, trace: Trace) -> None:
    """dispatch_request calls only the view, and returns its return value."""
    app = trace.app()
    app.add_url_rule("/made", "made", lambda: ("made", 201))
    with app.test_request_context("/made"):
        trace("returned", app.dispatch_request())
    with app.test_request_context("/", method="OPTIONS"):
        trace("options", app.dispatch_request())


@scenario
def methods_a_subclass_overrides(side: Side, trace: Trace) -> None:
    """Every method of a request that a subclass may override is called at the same point and in the same order."""
    names = (
        "wsgi_app",
        "request_context",
        "create_url_adapter",
        "app_context",
        "full_dispatch_request",
        "try_trigger_before_first_request_functions",
        "preprocess_request",
        "dispatch_request",
        "raise_routing_exception",
        "make_default_options_response",
        "handle_user_exception",
        "handle_http_exception",
        "trap_http_exception",
        "handle_exception",
        "log_exception",
        "finalize_request",
        "make_response",
        "process_response",
        "should_ignore_error",
        "do_teardown_request",
        "do_teardown_appcontext",
    )

    def watched(name: str) -> Any:
        def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
            trace(name, sorted(keywords))
            return getattr(super(Watched, self), name)(*arguments, **keywords)

        return method

    Watched = type("Watched", (side.flask.Flask,), {name: watched(name) for name in names})
    app = trace.bare(base=Watched)
    app.secret_key = "key"
    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/dir/", "dir", lambda: "dir")
    app.add_url_rule("/boom", "boom", lambda: 1 / 0)
    app.add_url_rule("/abort", "abort", lambda: side.flask.abort(403))
    for path, method in (
        ("/", "GET"),
        ("/", "OPTIONS"),
        ("/", "DELETE"),
        ("/dir", "GET"),
        ("/boom", "GET"),
        ("/abort", "GET"),
        ("/nowhere", "GET"),
    ):
        trace("request", path, method)
        trace.serve(app, path, method)
    trace("block")
    with app.app_context():
        pass


@scenario
def session_methods_a_subclass_overrides(side: Side, trace: Trace) -> None:
    """The methods of the session interface are called at the same points of a request."""

    def watched(name: str) -> Any:
        def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
            trace(name, sorted(keywords))
            return getattr(super(Watched, self), name)(*arguments, **keywords)

        return method

    names = (
        "open_session",
        "get_signing_serializer",
        "make_null_session",
        "is_null_session",
        "save_session",
        "should_set_cookie",
        "get_cookie_domain",
        "get_cookie_path",
        "get_cookie_httponly",
        "get_cookie_secure",
        "get_cookie_samesite",
        "get_expiration_time",
    )
    base = side.sessions.SecureCookieSessionInterface
    Watched = type("Watched", (base,), {name: watched(name) for name in names if name != "get_signing_serializer"})
    app = trace.app()
    app.session_interface = Watched()

    @app.route("/put")
    def put() -> str:
        side.flask.session["mark"] = 1
        return "put"

    trace.serve(app, "/")
    app.secret_key = "key"
    trace.serve(app, "/")
    trace.serve(app, "/put")


@scenario
def wrapped_wsgi_app_is_what_a_server_calls(side: Side, trace: Trace) -> None:
    """Middleware around the attribute wsgi_app is called for each request, outside of the contexts."""
    app = trace.app()
    inner = app.wsgi_app

    def middleware(environ: dict[str, Any], start_response: Any) -> Any:
        trace("middleware", environ["PATH_INFO"])
        body = inner(environ, start_response)
        trace("middleware again")
        return body

    app.wsgi_app = middleware
    trace.serve(app, "/")
    with app.test_client() as client:
        trace.answer("client", client.get("/"))


@scenario
def app_inside_an_app(side: Side, trace: Trace) -> None:
    """If a view calls another WSGI application, each has its own contexts, hooks and current_app."""
    outer, inner = trace.app("outer"), trace.app("inner")

    @outer.route("/through")
    def through() -> Any:
        trace("outer", side.flask.current_app.name)
        response = side.flask.make_response(inner)
        trace("outer again", side.flask.current_app.name, response)
        return response

    trace.serve(outer, "/through")


@scenario
def view_that_returns_a_wsgi_app(side: Side, trace: Trace) -> None:
    """A view may return a WSGI application, which is called in the request."""
    app = trace.app()

    def plain(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        trace("plain", environ["PATH_INFO"])
        start_response("203 OTHER", [("Content-Type", "text/plain"), ("X-Plain", "1")])
        return [b"plain ", b"text"]

    app.add_url_rule("/plain", "plain", lambda: plain)
    trace.serve(app, "/plain")


@scenario
def before_first_request_runs_once(side: Side, trace: Trace) -> None:
    """before_first_request functions run in order, once, at the beginning of the first request."""
    app = trace.app()
    app.before_first_request(lambda: trace("second", app.got_first_request))
    trace("before", app.got_first_request)
    trace.serve(app, "/nowhere")
    trace("after", app.got_first_request)
    trace.serve(app, "/")


@scenario
def before_first_request_result_is_ignored(side: Side, trace: Trace) -> None:
    """The return value of a before_first_request function is ignored."""
    app = trace.app()
    app.before_first_request(lambda: "answer")
    trace.serve(app, "/")


@scenario
def before_first_request_under_concurrency(side: Side, trace: Trace) -> None:
    """While one request runs the functions, concurrent requests wait."""
    app = trace.bare()
    started, go_on = threading.Event(), threading.Event()
    calls: list[str] = []

    @app.before_first_request
    def slow() -> None:
        calls.append("slow")
        started.set()
        go_on.wait(10)

    answers: list[str] = []

    @app.route("/<name>")
    def view(name: str) -> str:
        answers.append(name)
        return name

    def request(name: str) -> None:
        app(trace.environ(f"/{name}"), lambda *arguments: None)

    threads = [threading.Thread(target=request, args=(str(number),)) for number in range(6)]
    with trace.mute():
        threads[0].start()
        started.wait(10)
        for thread in threads[1:]:
            thread.start()
    trace("while it runs", calls, answers, app.got_first_request)
    with trace.mute():
        go_on.set()
        for thread in threads:
            thread.join()
    trace("done", calls, sorted(answers), app.got_first_request)


@scenario
def before_first_request_registered_after_it(side: Side, trace: Trace) -> None:
    """Without debug, a before_first_request function registered after the first request is accepted but never runs."""
    app = trace.app()
    trace.serve(app, "/")
    app.before_first_request(lambda: trace("late"))
    trace.serve(app, "/")


@scenario
def hooks_registered_after_the_first_request(side: Side, trace: Trace) -> None:
    """Without debug, functions that are registered late run from the next request on."""
    app = trace.app()
    trace.serve(app, "/")
    app.before_request(lambda: trace("late before"))
    app.after_request(lambda response: trace("late after") or response)
    app.add_url_rule("/late", "late", lambda: "late")
    trace.serve(app, "/late")


@scenario
def registration_after_the_first_request_in_debug(side: Side, trace: Trace) -> None:
    """With DEBUG, registering after the first request raises an AssertionError that says so."""
    app = trace.app()
    app.debug = True
    words = ("first request", "before")

    def function(*arguments: Any) -> Any:
        return arguments

    trace.serve(app, "/")
    for name in (
        "before_first_request",
        "before_request",
        "after_request",
        "teardown_request",
        "teardown_appcontext",
        "url_value_preprocessor",
        "url_defaults",
    ):
        trace.attempt(name, getattr(app, name), function, words=words)
    trace.attempt("route", lambda: app.route("/late")(function), words=words)
    trace.attempt("add_url_rule", lambda: app.add_url_rule("/late", "late", function), words=words)
    trace.attempt("endpoint", lambda: app.endpoint("late")(function), words=words)
    trace.attempt("errorhandler", lambda: app.errorhandler(404)(function), words=words)
    trace.attempt("register_error_handler", lambda: app.register_error_handler(404, function), words=words)
    trace.serve(app, "/late")


@scenario
def registration_during_the_first_request_in_debug(side: Side, trace: Trace) -> None:
    """With DEBUG, a before_first_request function may still register functions, but the first view may not."""
    app = trace.bare()
    app.debug = True
    app.before_first_request(lambda: app.add_url_rule("/added", "added", lambda: "added"))

    @app.route("/")
    def index() -> str:
        trace.attempt("in view", app.add_url_rule, "/late", "late", lambda: "late")
        return "index"

    trace.serve(app, "/")
    trace.serve(app, "/added")


@scenario
def options_answered_without_a_view(side: Side, trace: Trace) -> None:
    """OPTIONS is answered without the view, and all hooks run."""
    trace.serve(trace.app(), "/", "OPTIONS")


@scenario
def context_in_every_hook(side: Side, trace: Trace) -> None:
    """request, session, g and current_app are bound in every hook of a request, and g is always the same object."""
    app = trace.bare()
    app.secret_key = "key"

    def look(where: str) -> None:
        side.flask.g.setdefault("seen", []).append(where)
        trace(
            where,
            side.flask.request.path,
            type(side.flask.session._get_current_object()),
            side.flask.current_app.name,
            side.flask.g.seen,
        )

    app.before_first_request(lambda: look("before_first_request"))
    app.url_value_preprocessor(lambda *values: look("preprocessor"))
    app.before_request(lambda: look("before_request"))
    app.after_request(lambda response: look("after_request") or response)
    app.teardown_request(lambda error: look("teardown_request"))
    app.errorhandler(404)(lambda error: look("handler") or ("none", 404))
    trace.serve(app, "/nowhere")
