"""The session: its flags, its cookie, and the ``Vary`` header."""

from __future__ import annotations

import datetime
import uuid
import warnings
from typing import Any, Callable

from markupsafe import Markup

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario


def app_with_session(side: Side, trace: Trace, **config: Any) -> Any:
    """Return an application with a key, whose view calls ``app.view_functions["act"]``."""
    app = trace.bare()
    app.config.update(SECRET_KEY="key", **config)
    app.add_url_rule("/", "act", lambda: "act")
    return app


def act(side: Side, trace: Trace, app: Any, action: Callable[[], Any], **environ: Any) -> str:
    """Serve a request that runs ``action``, trace the flags of the session after it, and return the cookie."""

    def view() -> str:
        result = action()
        session = side.flask.session._get_current_object()
        # Reading session.permanent would count as access.
        trace("flags", session.new, session.modified, session.accessed, dict.get(session, "_permanent", False))
        return str(result)

    app.view_functions["act"] = view
    return trace.serve(app, "/", **environ).cookie


@scenario
def untouched(side: Side, trace: Trace) -> None:
    """A session that is not read sets no cookie and no Vary, with or without a cookie in the request."""
    app = app_with_session(side, trace)
    app.view_functions["act"] = lambda: "act"
    trace.serve(app, "/")
    cookie = act(side, trace, app, lambda: side.flask.session.update(a=1))
    app.view_functions["act"] = lambda: "act"
    trace.serve(app, "/", HTTP_COOKIE=cookie)


@scenario
def written(side: Side, trace: Trace) -> None:
    """A modified session sets a cookie. The next request reads it, and the session is not new there."""
    app = app_with_session(side, trace)
    cookie = act(side, trace, app, lambda: side.flask.session.update(a=1))
    act(side, trace, app, lambda: side.flask.session["a"], HTTP_COOKIE=cookie)


@scenario
def read_only(side: Side, trace: Trace) -> None:
    """Reading a session that is not empty adds Vary but no cookie."""
    app = app_with_session(side, trace)
    cookie = act(side, trace, app, lambda: side.flask.session.update(a=1))
    for read in (
        lambda: side.flask.session["a"],
        lambda: side.flask.session.get("a"),
        lambda: side.flask.session.get("b", "none"),
        lambda: side.flask.session.setdefault("a", 2),
    ):
        act(side, trace, app, read, HTTP_COOKIE=cookie)


@scenario
def every_way_of_writing(side: Side, trace: Trace) -> None:
    """Each dict method that changes a session marks it modified, even if nothing changes."""
    app = app_with_session(side, trace)
    cookie = act(side, trace, app, lambda: side.flask.session.update(a=1, b=2))

    def delete() -> None:
        del side.flask.session["a"]

    def assign() -> None:
        side.flask.session["a"] = 1

    for write in (
        assign,
        delete,
        lambda: side.flask.session.pop("a"),
        lambda: side.flask.session.popitem() and None,
        lambda: side.flask.session.update({"c": 3}),
        lambda: side.flask.session.update(),
        lambda: side.flask.session.setdefault("c", 3),
        lambda: side.flask.session.clear() or side.flask.session.update(c=3),
    ):
        act(side, trace, app, write, HTTP_COOKIE=cookie)


@scenario
def missing_keys(side: Side, trace: Trace) -> None:
    """Reading, deleting or popping a missing key raises a KeyError."""
    app = app_with_session(side, trace)
    with app.test_request_context("/"):
        session = side.flask.session
        trace.attempt("read", lambda: session["none"])
        trace.attempt("delete", lambda: session.__delitem__("none"))
        trace.attempt("pop", lambda: session.pop("none"))
        trace.attempt("popitem", lambda: session.popitem())
        trace("flags", session.new, session.modified, session.accessed)


@scenario
def inner_values_changed_in_place(side: Side, trace: Trace) -> None:
    """A change inside a list of the session is only noticed if modified is set by hand."""
    app = app_with_session(side, trace)
    cookie = act(side, trace, app, lambda: side.flask.session.update(a=[1]))
    act(side, trace, app, lambda: side.flask.session["a"].append(2), HTTP_COOKIE=cookie)

    def by_hand() -> None:
        side.flask.session["a"].append(3)
        side.flask.session.modified = True

    act(side, trace, app, by_hand, HTTP_COOKIE=cookie)


@scenario
def permanent(side: Side, trace: Trace) -> None:
    """The cookie of a permanent session expires after the lifetime. Each request that reads it refreshes it."""
    app = app_with_session(side, trace)

    def make_permanent() -> None:
        side.flask.session.permanent = True
        side.flask.session["a"] = 1

    cookie = act(side, trace, app, make_permanent)
    cookie = act(side, trace, app, lambda: side.flask.session["a"], HTTP_COOKIE=cookie)

    def no_longer() -> None:
        side.flask.session.permanent = False

    act(side, trace, app, no_longer, HTTP_COOKIE=cookie)


@scenario
def permanent_without_refreshing(side: Side, trace: Trace) -> None:
    """Without SESSION_REFRESH_EACH_REQUEST, the cookie of a permanent session is set only if it is modified."""
    app = app_with_session(side, trace, SESSION_REFRESH_EACH_REQUEST=False)
    cookie = act(side, trace, app, lambda: side.flask.session.update(_permanent=True, a=1))
    act(side, trace, app, lambda: side.flask.session["a"], HTTP_COOKIE=cookie)
    act(side, trace, app, lambda: side.flask.session.update(a=2), HTTP_COOKIE=cookie)


@scenario
def permanent_and_otherwise_empty(side: Side, trace: Trace) -> None:
    """The session stores permanent under a key, so a permanent session is never empty."""
    app = app_with_session(side, trace)

    def make_permanent() -> None:
        side.flask.session.permanent = True

    act(side, trace, app, make_permanent)


@scenario
def lifetime_settings(side: Side, trace: Trace) -> None:
    """PERMANENT_SESSION_LIFETIME is a timedelta or a number of seconds. The attribute reads and sets it."""
    for lifetime in (datetime.timedelta(hours=2), 7200, datetime.timedelta(0, 3600)):
        app = app_with_session(side, trace, PERMANENT_SESSION_LIFETIME=lifetime)
        trace("attribute", str(app.permanent_session_lifetime))
        act(side, trace, app, lambda: side.flask.session.update(_permanent=True))
    app.permanent_session_lifetime = datetime.timedelta(minutes=30)
    trace("config", str(app.config["PERMANENT_SESSION_LIFETIME"]))
    app.permanent_session_lifetime = 60
    trace("config", str(app.config["PERMANENT_SESSION_LIFETIME"]), str(app.permanent_session_lifetime))


@scenario
def cookie_older_than_the_lifetime(side: Side, trace: Trace) -> None:
    """If a cookie is older than the lifetime, the session is empty, permanent or not."""
    app = app_with_session(side, trace)
    cookie = act(side, trace, app, lambda: side.flask.session.update(a=1))
    app.permanent_session_lifetime = datetime.timedelta(seconds=-10)
    act(side, trace, app, lambda: side.flask.session.setdefault("a", "expired"), HTTP_COOKIE=cookie)


@scenario
def cookie_settings(side: Side, trace: Trace) -> None:
    """Each SESSION_COOKIE setting changes the cookie."""
    for config in (
        {},
        {"SESSION_COOKIE_NAME": "own"},
        {"SESSION_COOKIE_DOMAIN": "example.com"},
        {"SESSION_COOKIE_DOMAIN": ".example.com"},
        {"SESSION_COOKIE_DOMAIN": False},
        {"SESSION_COOKIE_PATH": "/path"},
        {"APPLICATION_ROOT": "/root"},
        {"APPLICATION_ROOT": "/root", "SESSION_COOKIE_PATH": "/path"},
        {"SESSION_COOKIE_HTTPONLY": False},
        {"SESSION_COOKIE_SECURE": True},
        {"SESSION_COOKIE_SAMESITE": "Lax"},
        {"SESSION_COOKIE_SAMESITE": "Strict"},
        {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Strict", "SESSION_COOKIE_HTTPONLY": False},
    ):
        app = app_with_session(side, trace, **config)
        trace("config", config)
        act(side, trace, app, lambda: side.flask.session.update(a=1))


@scenario
def unknown_samesite(side: Side, trace: Trace) -> None:
    """An invalid SameSite value raises a ValueError when the cookie is set."""
    app = app_with_session(side, trace, SESSION_COOKIE_SAMESITE="Perhaps")
    act(side, trace, app, lambda: side.flask.session.update(a=1))


@scenario
def domain_from_the_server_name(side: Side, trace: Trace) -> None:
    """Without SESSION_COOKIE_DOMAIN, the domain is that of SERVER_NAME, if browsers accept it."""
    for server_name, root in (
        ("example.com", None),
        ("example.com:8080", None),
        ("www.example.com", None),
        ("example.com", "/root"),
        ("localhost", None),
        ("localhost:5000", None),
        ("127.0.0.1", None),
        ("127.0.0.1:5000", None),
    ):
        app = app_with_session(side, trace, SERVER_NAME=server_name, APPLICATION_ROOT=root or "/")
        trace("server name", server_name, root)
        with trace.warnings():
            act(side, trace, app, lambda: side.flask.session.update(a=1), HTTP_HOST=server_name)
        trace("remembered", app.config["SESSION_COOKIE_DOMAIN"])


@scenario
def name_of_the_cookie(side: Side, trace: Trace) -> None:
    """session_cookie_name and SESSION_COOKIE_NAME are the same. A session under another name is not found."""
    app = app_with_session(side, trace)
    cookie = act(side, trace, app, lambda: side.flask.session.update(a=1))
    app.session_cookie_name = "other"
    trace("config", app.config["SESSION_COOKIE_NAME"])
    act(side, trace, app, lambda: side.flask.session.setdefault("a", "not found"), HTTP_COOKIE=cookie)


@scenario
def without_a_secret_key(side: Side, trace: Trace) -> None:
    """Without a key, the session is empty and can be read. Writing raises a RuntimeError that names the setting."""
    app = trace.bare()
    words = ("secret", "key", "session")
    with app.test_request_context("/"):
        session = side.flask.session
        trace(
            "kind", type(session._get_current_object()), bool(session), session.new, session.modified, session.permanent
        )
        trace("read", dict(session), "a" in session, session.get("a"), len(session), list(session))
        trace.attempt("missing", lambda: session["a"])
        trace.attempt("assign", lambda: session.__setitem__("a", 1), words=words)
        trace.attempt("delete", lambda: session.__delitem__("a"), words=words)
        trace.attempt("pop", lambda: session.pop("a"), words=words)
        trace.attempt("pop default", lambda: session.pop("a", None), words=words)
        trace.attempt("popitem", lambda: session.popitem(), words=words)
        trace.attempt("update", lambda: session.update(a=1), words=words)
        trace.attempt("setdefault", lambda: session.setdefault("a", 1), words=words)
        trace.attempt("clear", lambda: session.clear(), words=words)
        trace.attempt("permanent", lambda: setattr(session, "permanent", True), words=words)
        trace.attempt("flash", lambda: side.flask.flash("message"), words=words)
        trace("flashes", side.flask.get_flashed_messages())


@scenario
def writing_without_a_secret_key_in_a_request(side: Side, trace: Trace) -> None:
    """Without a key, a view that writes to the session fails. One that reads has no Vary and no cookie."""
    app = trace.app()
    app.add_url_rule("/write", "write", lambda: side.flask.session.update(a=1))
    app.add_url_rule("/read", "read", lambda: str(side.flask.session.get("a")))
    trace.serve(app, "/write")
    trace.serve(app, "/read", HTTP_COOKIE="session=anything")


@scenario
def secret_key_given_late(side: Side, trace: Trace) -> None:
    """A key that is set after a session was opened applies to the next session."""
    app = trace.bare()
    with app.test_request_context("/"):
        app.secret_key = "key"
        trace("first", type(side.flask.session._get_current_object()))
        with app.test_request_context("/"):
            trace("second", type(side.flask.session._get_current_object()))


@scenario
def secret_keys_of_other_kinds(side: Side, trace: Trace) -> None:
    """Bytes are a valid key. An empty key counts as none."""
    for key in (b"bytes", "", b"", None):
        app = trace.bare()
        app.secret_key = key
        with app.test_request_context("/"):
            trace("session", repr(key), type(side.flask.session._get_current_object()))


@scenario
def cookies_that_are_not_ours(side: Side, trace: Trace) -> None:
    """The session is empty if the cookie is missing, cut, forged or signed with another key."""
    app = app_with_session(side, trace)
    cookie = act(side, trace, app, lambda: side.flask.session.update(a=1))
    other = trace.bare()
    other.secret_key = "other key"
    other.add_url_rule("/", "act", lambda: "act")
    foreign = act(side, trace, other, lambda: side.flask.session.update(a=1))
    value = cookie.partition("=")[2]
    payload, _, rest = value.partition(".")
    for wrong in (
        "session=",
        "session=nonsense",
        "session=a.b.c",
        "session=.a.b.c",
        "session=....",
        f"session={value[:-1]}",
        f"session={value}x",
        f"session=x{value}",
        f"session={payload[::-1]}.{rest}",
        f"session={value.rpartition('.')[0]}",
        foreign,
        f"other={value}",
        "session=\xff",
        "=;;=",
    ):
        act(side, trace, app, lambda: side.flask.session.setdefault("a", "fresh"), HTTP_COOKIE=wrong)


@scenario
def values_of_every_kind(side: Side, trace: Trace) -> None:
    """Tuples, bytes, dates, UUIDs, markup and nested containers are read as they were written."""
    values = {
        "tuple": (1, (2, 3), [4]),
        "bytes": b"\xff\x00",
        "date": datetime.datetime(2020, 1, 2, 3, 4, 5),
        "uuid": uuid.UUID(int=5),
        "markup": Markup("<b>"),
        "nested": {"a": {"b": [(1,), {"c": b"d"}]}},
        "numbers": [1, -1.5, True, None],
        "text": "ü\n",
        "empty": [(), {}, [], "", b""],
        "tagged": {" t": [1]},
        "twice": {" t__": 1},
        "two": {" t": 1, " b": 2},
    }
    app = app_with_session(side, trace)
    cookie = act(side, trace, app, lambda: side.flask.session.update(values))
    read: dict[str, Any] = {}
    act(
        side, trace, app, lambda: [read.update({name: side.flask.session[name]}) for name in values], HTTP_COOKIE=cookie
    )
    for name, value in values.items():
        back = read[name].replace(tzinfo=None) if name == "date" else read[name]
        trace(name, back == value, type(back))


@scenario
def keys_that_are_not_text(side: Side, trace: Trace) -> None:
    """Keys that JSON does not support are read as text. Keys that cannot be sorted fail the request."""
    app = app_with_session(side, trace)
    cookie = act(side, trace, app, lambda: side.flask.session.update({1: "a"}))
    act(side, trace, app, lambda: side.flask.session["1"], HTTP_COOKIE=cookie)
    act(side, trace, app, lambda: side.flask.session.update({1: "a", "b": "c"}))


@scenario
def value_that_cannot_be_written(side: Side, trace: Trace) -> None:
    """A value that JSON does not support raises a TypeError with its type."""
    app = app_with_session(side, trace)
    app.config["PROPAGATE_EXCEPTIONS"] = True

    class Peculiar:
        pass

    app.view_functions["act"] = lambda: side.flask.session.update(a=Peculiar()) or "act"
    trace.attempt("call", lambda: app(trace.environ("/"), lambda *arguments: None), words=("Peculiar", "JSON"))


@scenario
def opened_once_for_a_context(side: Side, trace: Trace) -> None:
    """The first push of the context opens the session. A push inside of it does not open another."""

    class Counting(side.sessions.SecureCookieSessionInterface):
        def open_session(self, app, request):
            trace("open_session", side.flask.request.url_rule)
            return super().open_session(app, request)

    app = trace.app()
    app.secret_key = "key"
    app.session_interface = Counting()
    context = app.test_request_context("/")
    with context:
        with context:
            trace("inner")
    with context:
        trace("again")


@scenario
def interface_that_opens_nothing(side: Side, trace: Trace) -> None:
    """If the interface opens no session, its null session is used and not saved."""

    class Nothing(side.sessions.SessionInterface):
        def open_session(self, app, request):
            trace("open_session")

        def save_session(self, app, session, response):
            trace("save_session")

    app = trace.app()
    app.session_interface = Nothing()
    app.add_url_rule("/kind", "kind", lambda: type(side.flask.session._get_current_object()).__name__)
    trace.serve(app, "/kind")


@scenario
def interface_with_null_sessions_of_its_own(side: Side, trace: Trace) -> None:
    """An interface determines its null sessions by null_session_class or by is_null_session."""

    class Own(side.sessions.NullSession):
        pass

    class Interface(side.sessions.SecureCookieSessionInterface):
        null_session_class = Own

        def save_session(self, app, session, response):
            trace("save_session", session.__class__)

    app = trace.app()
    app.session_interface = Interface()
    app.add_url_rule("/kind", "kind", lambda: type(side.flask.session._get_current_object()).__name__)
    trace.serve(app, "/kind")
    trace("null", app.session_interface.is_null_session(Own()), app.session_interface.is_null_session({}))


@scenario
def interface_with_sessions_of_its_own(side: Side, trace: Trace) -> None:
    """A dict with SessionMixin is a session. Its flags are those of the mixin."""

    class Own(dict, side.sessions.SessionMixin):
        pass

    class Interface(side.sessions.SessionInterface):
        def open_session(self, app, request):
            return Own(opened=True)

        def save_session(self, app, session, response):
            trace("save_session", dict(session), self.should_set_cookie(app, session))
            response.headers["X-Session"] = "saved"

    app = trace.app()
    app.session_interface = Interface()

    @app.route("/flags")
    def flags() -> str:
        session = side.flask.session
        trace("flags", session.new, session.modified, session.accessed, session.permanent)
        session["a"] = 1
        session.permanent = True
        trace("flags", session.new, session.modified, session.accessed, session.permanent)
        return "flags"

    trace.serve(app, "/flags")


@scenario
def interface_unfinished(side: Side, trace: Trace) -> None:
    """An interface without these methods raises NotImplementedError."""
    app = trace.bare()
    interface = side.sessions.SessionInterface()
    trace.attempt("open", lambda: interface.open_session(app, None))
    trace.attempt("save", lambda: interface.save_session(app, {}, None))


@scenario
def attributes_of_the_interfaces(side: Side, trace: Trace) -> None:
    """The attributes that extensions read from the interface and the session classes."""
    import hashlib

    interface = side.sessions.SecureCookieSessionInterface
    trace("salt", interface.salt, interface.key_derivation, interface.digest_method is hashlib.sha1)
    trace("classes", interface.session_class, interface.null_session_class, interface.pickle_based)
    trace("default", type(side.flask.Flask.session_interface))
    mixin = side.sessions.SessionMixin
    trace("mixin", mixin.new, mixin.modified, mixin.accessed)
    session = side.sessions.SecureCookieSession
    trace("secure", session.modified, session.accessed)
    made = session({"a": 1})
    trace("made", dict(dict.items(made)), made.new, made.modified, made.accessed, made.permanent, made.accessed)
    trace("from pairs", dict(session([("a", 1)])), dict(session()))


@scenario
def signing_serializer(side: Side, trace: Trace) -> None:
    """get_signing_serializer returns None without a key. Otherwise, its serializer signs and reads the cookie."""
    app = trace.bare()
    interface = app.session_interface
    trace("without", interface.get_signing_serializer(app))
    app.secret_key = "key"
    serializer = interface.get_signing_serializer(app)
    signed = serializer.dumps({"a": (1, 2)})
    trace("signed", trace.set_cookie(f"session={signed}"), serializer.loads(signed))


@scenario
def new_session_flag(side: Side, trace: Trace) -> None:
    """The interface decides whether a session is new, and the attribute can be set."""
    app = app_with_session(side, trace)
    with app.test_request_context("/"):
        trace("new", side.flask.session.new)
        side.flask.session.new = True
        trace("set", side.flask.session.new)


@scenario
def saved_after_the_hooks(side: Side, trace: Trace) -> None:
    """Values that after_request and after_this_request functions write to the session are saved."""
    app = app_with_session(side, trace)
    app.after_request(lambda response: side.flask.session.update(after=True) or response)
    app.view_functions["act"] = lambda: (
        side.flask.after_this_request(lambda response: side.flask.session.update(this=True) or response) and "act"
    )
    trace.serve(app, "/")


@scenario
def written_in_teardown(side: Side, trace: Trace) -> None:
    """Values that teardown functions write to the session are not saved."""
    app = app_with_session(side, trace)
    app.teardown_request(lambda error: side.flask.session.update(late=True))
    trace.serve(app, "/")


@scenario
def written_before_an_error(side: Side, trace: Trace) -> None:
    """Values written before the view failed are saved with the 500, and also with a 404."""
    app = app_with_session(side, trace)

    @app.before_request
    def write() -> None:
        side.flask.session["a"] = 1

    def fail() -> None:
        raise Boom("view")

    app.view_functions["act"] = fail
    trace.serve(app, "/")
    trace.serve(app, "/nowhere")


@scenario
def vary_that_is_there_already(side: Side, trace: Trace) -> None:
    """Cookie is added once to a Vary header of the view."""
    app = app_with_session(side, trace)

    @app.route("/vary/<path:value>")
    def vary(value: str) -> Any:
        side.flask.session["a"] = 1
        return "vary", {"Vary": value}

    for value in ("Accept", "Cookie", "Accept, Cookie", "cookie", "*"):
        trace.serve(app, f"/vary/{value}")


@scenario
def sessions_of_nested_requests(side: Side, trace: Trace) -> None:
    """A request made in a view has its own session, from its own cookies."""
    app = app_with_session(side, trace)

    @app.route("/inner")
    def inner() -> str:
        side.flask.session["inner"] = True
        return str(dict(side.flask.session))

    def outer() -> str:
        side.flask.session["outer"] = True
        trace.serve(app, "/inner")
        return str(dict(side.flask.session))

    app.view_functions["act"] = outer
    trace.serve(app, "/")


@scenario
def session_through_a_client(side: Side, trace: Trace) -> None:
    """A client sends the cookie of the session, unless it does not use cookies."""
    app = app_with_session(side, trace)

    def count() -> str:
        side.flask.session["count"] = side.flask.session.get("count", 0) + 1
        return str(side.flask.session["count"])

    app.view_functions["act"] = count
    for client in (app.test_client(), app.test_client(use_cookies=False)):
        trace("counts", [client.get("/").get_data(as_text=True) for _ in range(3)])


@scenario
def session_transaction_changes_what_is_sent(side: Side, trace: Trace) -> None:
    """A client's session transaction reads the values of the application and changes what the application reads."""
    app = app_with_session(side, trace)
    app.view_functions["act"] = lambda: str(side.flask.session.setdefault("a", 1))
    client = app.test_client()
    trace("first", client.get("/").get_data(as_text=True))
    with client.session_transaction() as session:
        trace("inside", dict(session), type(session))
        session["a"] = 2
    trace("second", client.get("/").get_data(as_text=True))
    with client.session_transaction() as session:
        session.clear()
    trace("third", client.get("/").get_data(as_text=True))


@scenario
def session_methods_of_the_application(side: Side, trace: Trace) -> None:
    """They are deprecated: they call the session interface, and a request does not call them."""

    class Ours(side.flask.Flask):  # type: ignore[misc, name-defined]
        def open_session(self, request: Any) -> Any:
            trace("open_session of the application")
            return super().open_session(request)

    app = Ours("ours")
    app.config["SECRET_KEY"] = "key"
    app.add_url_rule("/", "write", lambda: side.flask.session.update(a=1) or "written")
    cookie = trace.serve(app, "/").cookie
    with app.test_request_context(headers={"Cookie": cookie}) as context:
        response, session = app.response_class("body"), app.session_interface.session_class()
        session["b"] = 2
        for name, call in {
            "open_session": lambda: dict(app.open_session(context.request)),
            "make_null_session": lambda: type(app.make_null_session()).__name__,
            "save_session": lambda: app.save_session(session, response),
        }.items():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                trace(name, call(), [warning.category.__name__ for warning in caught])
        trace("cookies", len(response.headers.getlist("Set-Cookie")))
