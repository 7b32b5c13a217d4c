"""The signals: their senders, times and arguments."""

from __future__ import annotations

from typing import Any

from tests.fidelity.side import Side
from tests.fidelity.trace import SIGNALS, Boom, Trace, scenario


@scenario(needs="blinker")
def every_signal_has_its_name(side: Side, trace: Trace) -> None:
    """The eight signals are in the same module as in 1.1.4, with names that describe them."""
    trace("available", side.signals.signals_available)
    for name in SIGNALS:
        signal = getattr(side.signals, name)
        trace(name, signal.name, getattr(side.flask, name) is signal)


@scenario(needs="blinker")
def sender_is_the_application_itself(side: Side, trace: Trace) -> None:
    """The sender of every signal is the application and not a proxy, so a receiver can connect to one application."""
    app, other = trace.bare(), trace.bare("other")
    app.secret_key = other.secret_key = "key"
    for each in (app, other):

        @each.route("/")
        def view() -> str:
            side.flask.flash("message")
            return "view"

    senders: list[Any] = []

    def receive(sender: Any, **arguments: Any) -> None:
        senders.append(sender)

    for name in SIGNALS:
        getattr(side.signals, name).connect(receive, app)
    with trace.mute():
        trace.serve(app, "/")
        trace.serve(other, "/")
    for name in SIGNALS:
        getattr(side.signals, name).disconnect(receive, app)
    trace("senders", len(senders), all(sender is app for sender in senders), {type(sender) for sender in senders})


@scenario(needs="blinker")
def context_while_a_signal_is_received(side: Side, trace: Trace) -> None:
    """Which of request, g and current_app are bound when each signal is received."""
    app = trace.bare()
    app.secret_key = "key"

    @app.route("/<kind>")
    def view(kind: str) -> str:
        side.flask.flash("message")
        if kind == "boom":
            raise Boom("view")
        return "view"

    def receiver(name: str) -> Any:
        def receive(sender: Any, **arguments: Any) -> None:
            trace(f"in {name}", bool(side.flask.request), bool(side.flask.current_app), bool(side.flask.g))

        return receive

    for name in SIGNALS:
        trace.cleanup.enter_context(getattr(side.signals, name).connected_to(receiver(name), app))
    trace.serve(app, "/good")
    trace.serve(app, "/boom")


@scenario(needs="blinker")
def arguments_of_the_signals(side: Side, trace: Trace) -> None:
    """Receivers get the response, error, message and category themselves, by name."""
    app = trace.bare()
    app.secret_key = "key"
    error = Boom("the one")
    message = ["a message"]

    @app.route("/")
    def view() -> str:
        side.flask.flash(message, "category")
        raise error

    responses: list[Any] = []
    app.after_request(lambda response: responses.append(response) or response)

    def receiver(name: str) -> Any:
        def receive(sender: Any, **arguments: Any) -> None:
            known = {
                id(error): "the error",
                id(message): "the message",
                id(responses and responses[-1]): "the response",
            }
            trace(f"in {name}", {key: known.get(id(value), value) for key, value in arguments.items()})

        return receive

    for name in SIGNALS:
        trace.cleanup.enter_context(getattr(side.signals, name).connected_to(receiver(name), app))
    trace.serve(app, "/")


@scenario(needs="blinker")
def request_finished_has_the_last_response(side: Side, trace: Trace) -> None:
    """request_finished is sent after all after_request functions and after the session was saved."""
    app = trace.app()
    app.secret_key = "key"
    app.before_request(lambda: side.flask.session.update(a=1))
    app.after_request(lambda response: side.flask.Response("other", status=202))

    def receive(sender: Any, response: Any) -> None:
        trace("received", response, response.get_data(), "Set-Cookie" in response.headers)
        response.headers["X-Signal"] = "seen"

    with side.signals.request_finished.connected_to(receive, app):
        trace.serve(app, "/")


@scenario(needs="blinker")
def request_started_comes_first(side: Side, trace: Trace) -> None:
    """request_started is sent after before_first_request and before preprocessors, and the request is matched."""
    app = trace.app()

    def receive(sender: Any) -> None:
        trace("received", side.flask.request.endpoint, side.flask.session is not None)

    with side.signals.request_started.connected_to(receive, app):
        trace.serve(app, "/")


@scenario(needs="blinker")
def error_in_request_started_is_handled(side: Side, trace: Trace) -> None:
    """An error of a receiver of request_started is handled like an error of the view."""
    app = trace.app()
    app.register_error_handler(Boom, lambda error: "handled")

    def receive(sender: Any) -> None:
        raise Boom("request_started")

    with side.signals.request_started.connected_to(receive, app):
        trace.serve(app, "/")


@scenario(needs="blinker")
def exception_signal_only_for_the_unhandled(side: Side, trace: Trace) -> None:
    """got_request_exception is not sent for handled errors, HTTP errors or errors that are not an Exception."""
    app = trace.app()
    app.register_error_handler(Boom, lambda error: "handled")
    app.add_url_rule("/exit", "exit", lambda: (_ for _ in ()).throw(SystemExit(1)))
    app.add_url_rule("/zero", "zero", lambda: 1 / 0)
    for path in ("/boom", "/nowhere", "/exit", "/zero"):
        trace.serve(app, path)


@scenario(needs="blinker")
def signals_of_an_application_context_pushed_twice(side: Side, trace: Trace) -> None:
    """appcontext_pushed and appcontext_popped are sent for every push and pop, tearing_down only for the last pop."""
    context = trace.app().app_context()
    for _ in range(3):
        context.push()
    for _ in range(3):
        context.pop()


@scenario(needs="blinker")
def tearing_down_signals_see_the_error(side: Side, trace: Trace) -> None:
    """Both tearing-down signals receive the error as ``exc``, or None."""
    app = trace.app()
    trace.serve(app, "/")
    trace.serve(app, "/boom")
    with trace.catching("block"):
        with app.app_context():
            raise Boom("block")


@scenario(needs="blinker")
def namespace_makes_signals(side: Side, trace: Trace) -> None:
    """A Namespace creates signals, the same one for the same name."""
    namespace = side.signals.Namespace()
    signal = namespace.signal("own", "what it is for")
    trace("signal", signal.name, namespace.signal("own") is signal, sorted(namespace))
    received: list[Any] = []

    def receive(sender: Any, **arguments: Any) -> str:
        received.append([sender, arguments])
        return "answer"

    with signal.connected_to(receive):
        answers = signal.send("sender", a=1)
    trace("sent", received, [answer for _, answer in answers], signal.send("sender"))
