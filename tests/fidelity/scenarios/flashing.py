"""Flashed messages, from the request that flashes to the request that reads."""

from __future__ import annotations

from typing import Any

from tests.fidelity.side import Side
from tests.fidelity.trace import Trace, scenario


def keyed(trace: Trace) -> Any:
    app = trace.bare()
    app.secret_key = "key"
    return app


def keep_the_session(side: Side, app: Any) -> None:
    """Add a value to the session. A departure concerns the ``Vary`` header of an emptied one."""
    app.before_request(lambda: side.flask.session.update(kept=True))


@scenario
def flashed_and_read_in_one_request(side: Side, trace: Trace) -> None:
    """Messages can be read repeatedly in the request that flashed them, and are removed from the session."""
    with keyed(trace).test_request_context("/") as context:
        trace("before", context.flashes)
        side.flask.flash("one")
        side.flask.flash("two")
        trace("session", side.flask.session["_flashes"], context.flashes)
        trace("read", side.flask.get_flashed_messages())
        trace("again", side.flask.get_flashed_messages(), context.flashes)
        trace("session", "_flashes" in side.flask.session)


@scenario
def flashed_after_the_first_reading(side: Side, trace: Trace) -> None:
    """Messages flashed after the messages were read are for the next request."""
    app = keyed(trace)
    with app.test_request_context("/"):
        side.flask.flash("one")
        trace("read", side.flask.get_flashed_messages())
        side.flask.flash("two")
        trace("again", side.flask.get_flashed_messages(), side.flask.session["_flashes"])


@scenario
def flashed_for_the_next_request(side: Side, trace: Trace) -> None:
    """Messages stay in the cookie in order until a request reads them."""
    app = keyed(trace)
    keep_the_session(side, app)
    app.add_url_rule("/flash", "flash", lambda: side.flask.flash("one") or side.flask.flash("two", "warn") or "flashed")
    app.add_url_rule("/read", "read", lambda: str(side.flask.get_flashed_messages(with_categories=True)))
    app.add_url_rule("/other", "other", lambda: "other")
    cookie = trace.serve(app, "/flash").cookie
    trace.serve(app, "/other", HTTP_COOKIE=cookie)
    cookie = trace.serve(app, "/flash", HTTP_COOKIE=cookie).cookie
    cookie = trace.serve(app, "/read", HTTP_COOKIE=cookie).cookie
    trace.serve(app, "/read", HTTP_COOKIE=cookie)


@scenario
def categories_and_filters(side: Side, trace: Trace) -> None:
    """Messages with categories keep their order, also if they are filtered by one or more categories."""
    with keyed(trace).test_request_context("/"):
        for message, category in (("a", "message"), ("b", "warn"), ("c", "error"), ("d", "warn")):
            side.flask.flash(message, category)
        read = side.flask.get_flashed_messages
        trace("plain", read())
        trace("with", read(with_categories=True), read(True))
        trace("one", read(category_filter=["warn"]), read(category_filter=("warn",)))
        trace("two", read(category_filter=["warn", "error"], with_categories=True))
        trace("none", read(category_filter=["nothing"]), read(category_filter=[]))
        trace("text", read(category_filter="warn"), read(category_filter="an error"))


@scenario
def filter_takes_all_out_of_the_session(side: Side, trace: Trace) -> None:
    """Reading with a filter removes all messages from the session, including those that are not returned."""
    app = keyed(trace)
    with app.test_request_context("/"):
        side.flask.flash("a", "one")
        side.flask.flash("b", "two")
        trace("filtered", side.flask.get_flashed_messages(category_filter=["one"]))
        trace("session", dict(side.flask.session))
        trace("rest", side.flask.get_flashed_messages(category_filter=["two"]))


@scenario
def default_category(side: Side, trace: Trace) -> None:
    """The category is ``message`` by default. None stays None."""
    with keyed(trace).test_request_context("/"):
        side.flask.flash("a")
        side.flask.flash("b", "c")
        side.flask.flash("d", category="e")
        side.flask.flash("f", None)
        trace("read", side.flask.get_flashed_messages(with_categories=True))


@scenario
def list_of_what_was_flashed(side: Side, trace: Trace) -> None:
    """With categories and without a filter, the stored list itself is returned. Only two parts of an entry are used."""
    with keyed(trace).test_request_context("/"):
        side.flask.session["_flashes"] = [("c", "message", "more")]
        trace("messages", side.flask.get_flashed_messages(), side.flask.get_flashed_messages(category_filter=["c"]))
        side.flask.get_flashed_messages(with_categories=True).append(("d", "added"))
        trace("all", side.flask.get_flashed_messages(with_categories=True))
        side.flask.get_flashed_messages(with_categories=True, category_filter=["d"]).clear()
        trace("all", side.flask.get_flashed_messages(with_categories=True))


@scenario
def messages_of_other_kinds(side: Side, trace: Trace) -> None:
    """Every value that the cookie supports can be flashed and read."""
    app = keyed(trace)
    keep_the_session(side, app)
    values: list[Any] = [{"a": (1, 2)}, ["x"], 5, b"bytes", None]
    app.add_url_rule("/flash", "flash", lambda: str([side.flask.flash(value) for value in values]))
    app.add_url_rule("/read", "read", lambda: str(side.flask.get_flashed_messages()))
    trace.serve(app, "/read", HTTP_COOKIE=trace.serve(app, "/flash").cookie)


@scenario
def reading_when_nothing_was_flashed(side: Side, trace: Trace) -> None:
    """Without messages, the list is empty and the session is not modified."""
    with keyed(trace).test_request_context("/") as context:
        trace("read", side.flask.get_flashed_messages(), side.flask.get_flashed_messages(with_categories=True))
        trace("session", side.flask.session.modified, context.flashes)


@scenario
def flash_signal(side: Side, trace: Trace) -> None:
    """Each flash sends the signal with the application, message and category."""
    app = keyed(trace)
    with app.test_request_context("/"):
        side.flask.flash("one")
        trace("between")
        side.flask.flash("two", "warn")


@scenario
def flashing_outside_a_request(side: Side, trace: Trace) -> None:
    """Flashing and reading raise errors without a request."""
    words = ("request context",)
    trace.attempt("flash", lambda: side.flask.flash("a"), words=words)
    with keyed(trace).app_context():
        trace.attempt("flash in app", lambda: side.flask.flash("a"), words=words)


@scenario
def flashes_of_nested_contexts(side: Side, trace: Trace) -> None:
    """Each request context has its own list of read messages."""
    app = keyed(trace)
    with app.test_request_context("/") as outer:
        side.flask.flash("outer")
        with app.test_request_context("/") as inner:
            trace("inner", side.flask.get_flashed_messages(), inner.flashes, outer.flashes)
        trace("outer", side.flask.get_flashed_messages(), outer.flashes)


@scenario
def flashed_in_hooks(side: Side, trace: Trace) -> None:
    """after_request functions can still flash for the next request, and read."""
    app = keyed(trace)
    keep_the_session(side, app)
    app.before_request(lambda: side.flask.flash("before"))
    app.after_request(lambda response: trace("after", side.flask.get_flashed_messages()) or response)
    app.after_request(lambda response: side.flask.flash("after") or response)
    app.add_url_rule("/", "index", lambda: "index")
    cookie = trace.serve(app, "/").cookie
    trace.serve(app, "/", HTTP_COOKIE=cookie)


@scenario
def flashed_list_shared_with_a_caller(side: Side, trace: Trace) -> None:
    """flash stores a new list in the session each time, which marks it modified."""
    with keyed(trace).test_request_context("/"):
        side.flask.flash("one")
        first = side.flask.session["_flashes"]
        side.flask.session.modified = False
        side.flask.flash("two")
        trace("modified", side.flask.session.modified, first is side.flask.session["_flashes"])
        trace("entries", [type(entry) for entry in side.flask.session["_flashes"]])
