"""Runs a random program on one of the libraries and records a trace.

``run(side, program)`` returns the trace: a list of events. Each is a text, followed by the changes in the two context
stacks, the request, the session and ``g`` since the previous event.

``python -m tests.fidelity.interpreter flask`` reads programs as lines of JSON and prints their traces.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Callable
from urllib.parse import urljoin

import werkzeug.exceptions
from werkzeug.routing import BuildError, RequestRedirect
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response as PlainResponse

from tests.fidelity.departures import DEPARTED, patched
from tests.fidelity.programs import SLASHLESS
from tests.fidelity.side import Side, load

try:
    from greenlet import getcurrent, greenlet
except ImportError:  # Programs that need it are skipped; see programs.needs.
    greenlet = None


class Oops(Exception):
    pass


class Ouch(Oops):
    pass


class Lost(KeyError):
    pass


class Halt(BaseException):
    pass


class Teapot(werkzeug.exceptions.HTTPException):
    code = 418
    description = "~teapot"


class Missing(werkzeug.exceptions.NotFound):
    pass


class Codeless(werkzeug.exceptions.HTTPException):
    pass


OWN = {error.__name__: error for error in (Oops, Ouch, Lost, Halt, Teapot, Missing, Codeless)}
OTHERS = (Exception, LookupError, KeyError, ValueError, AssertionError, RequestRedirect)
ERRORS = {**OWN, **{error.__name__: error for error in OTHERS}}


@dataclass(frozen=True)
class Scope:
    """The function that acts, and its arguments."""

    label: str
    client: Any = None
    response: Any = None
    values: Any = None
    error: BaseException | None = None
    later: list[Callable[[], Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """The return value of the function that a body belongs to. It ends the body."""

    value: Any


def run(side: Side, program: dict[str, Any]) -> list[list[Any]]:
    """Run ``program`` on one library and return its trace."""
    one = Run(side)
    with warnings.catch_warnings(), patched(side, one):
        warnings.simplefilter("ignore")
        one.program(**program)
    return one.trace


class Run:
    """One run of one program: its applications, its clients, its trace."""

    def __init__(self, side: Side) -> None:
        self.side, self.flask = side, side.flask
        self.stacks = side.globals._request_ctx_stack, side.globals._app_ctx_stack
        self.trace: list[list[Any]] = []
        self.departed = self.muted = False
        self.state_before: dict[str, Any] = {}
        self.names: dict[int, tuple[str, Any]] = {}  # Holds the contexts as well, so that their ids are not used again.
        self.apps: dict[str, Any] = {}
        self.streams: list[Any] = []
        self.held: list[Any] = []  # The context of each open stream with context.
        self.busy: list[str] = []
        self.starting: list[Any] = []
        self.depth, self.fuel = 0, 150

    def program(self, apps: Any = (), receivers: Any = (), steps: Any = ()) -> None:
        with contextlib.ExitStack() as stack:
            for app in apps or [{}]:
                stack.enter_context(self.application(**app))
            for receiver in receivers:
                stack.enter_context(self.receiver(**receiver))
            for number, step in enumerate(steps):
                self.safely(f"step {number}", partial(self.run, [step], Scope(f"step {number}")))
                self.close_streams()
            self.pop_leftovers("the program")
            self.close_streams()
            self.note(f"storage of {[len(stack._local.__storage__) for stack in self.stacks]} left")
            for stack in self.stacks:
                stack._local.__storage__.clear()

    # Writing the trace

    def note(self, text: str) -> None:
        if self.departed or self.muted:
            return
        state, before = self.state(), self.state_before
        changed = {key: state.get(key) for key in {**state, **before} if state.get(key) != before.get(key)}
        self.state_before = state
        self.trace.append([text, changed] if changed else [text])

    def depart(self) -> None:
        if not self.departed:
            self.trace.append([DEPARTED])
            self.departed = True

    def state(self) -> dict[str, Any]:
        """Return what a program sees of its contexts, without any access to the session."""
        flask = self.flask
        requests, apps = (list(getattr(stack._local, "stack", ())) for stack in self.stacks)
        state: dict[str, Any] = {
            "requests": [self.context(context) for context in requests],
            "apps": [self.context(context) for context in apps],
            "has": [flask.has_request_context(), flask.has_app_context()],
        }
        if flask.has_app_context():
            state["g"] = {name: flask.g.get(name) for name in flask.g}
            state["current"] = [flask.current_app.name, apps[-1]._refcnt]
        if flask.has_request_context():
            request, session, context = flask.request, requests[-1].session, requests[-1]
            state["request"] = f"{request.method} {request.path} {request.endpoint} {request.url_rule}"
            arguments = request.view_args
            state["arguments"] = None if arguments is None else {key: str(value) for key, value in arguments.items()}
            state["routing"] = type(request.routing_exception).__name__
            state["context"] = [
                [self.context(implicit) for implicit in context._implicit_app_ctx_stack],
                self.error(context._preserved_exc),
                len(context._after_request_functions),
                None if context.flashes is None else [list(flash) for flash in context.flashes],
            ]
            state["session"] = session if session is None else self.session(session)
        return state

    def context(self, context: Any) -> str:
        """Return the name of a context, numbered in order of first use. ``*`` marks a preserved context."""
        if context is None:
            return "None"
        if id(context) not in self.names:
            kind = "R" if hasattr(context, "request") else "A"
            number = sum(name.startswith(kind) for name, _ in self.names.values()) + 1
            self.names[id(context)] = f"{kind}{number}:{context.app.name}", context
        return self.names[id(context)][0] + "*" * getattr(context, "preserved", False)

    def session(self, session: Any) -> list[Any]:
        session = getattr(session, "_get_current_object", lambda: session)()
        flags = [name for name in ("new", "modified", "accessed") if getattr(session, name)]
        return [type(session).__name__, " ".join(flags), {key: repr(value) for key, value in dict.items(session)}]

    def error(self, error: Any) -> str:
        """Return the type of an exception, and its message if it is the program's own."""
        if error is None:
            return "None"
        name, original = type(error).__name__, getattr(error, "original_exception", None)
        if original is not None:
            name += f" from {self.error(original)}"
        if isinstance(error, BuildError):
            name += f"({error.endpoint})"
        return f"{name}({error.args[0]})" if type(error) in OWN.values() and error.args else name

    def value(self, value: Any) -> str:
        if isinstance(value, BaseException):
            return self.error(value)
        status = getattr(value, "status_code", None)
        return str(status) if status else type(value).__name__ if callable(value) else str(value)

    def headers(self, headers: Any, url: str) -> dict[str, Any]:
        """Return the headers to compare, without signatures and dates."""
        kept: dict[str, Any] = {}
        for name, value in headers:
            if name == "Location":
                kept[name] = urljoin(url, value)
            elif name == "Allow":
                kept[name] = sorted(value.split(", "))
            elif name == "Set-Cookie":
                start, *rest = value.split("; ")
                attributes = dict(sorted(part.partition("=")[::2] for part in rest))
                for expiry in attributes.keys() & {"Expires", "Max-Age"}:
                    past = attributes[expiry] == "0" or "1970" in attributes[expiry]
                    attributes[expiry] = "past" if past else "future"
                if "past" in attributes.values():
                    attributes = {key: value for key, value in attributes.items() if key not in ("Secure", "SameSite")}
                if "Domain" in attributes:
                    attributes["Domain"] = attributes["Domain"].lstrip(".")
                kept.setdefault(name, []).append([start.partition("=")[0], attributes])
            elif name == "Content-Type" or name.startswith("X-"):
                kept.setdefault(name, []).append(value)
        return kept

    def text(self, body: bytes) -> str:
        """Return a body, if the program wrote it."""
        return body.decode() if body[:1] in (b"~", b"{", b"[", b"") else "a page"

    def saved(self, session: Any, response: Any, accessed: bool) -> None:
        cookie, vary = "Set-Cookie" in response.headers, "Cookie" in response.headers.get("Vary", "")
        comparable = dict.__len__(session) > 0 if accessed else not cookie
        self.note(f"saved cookie={cookie} vary={vary if comparable else 'either'}")

    # The applications

    @contextlib.contextmanager
    def application(
        self,
        name: str = "one",
        config: Any = (),
        views: Any = (),
        hooks: Any = (),
        handlers: Any = (),
        methods: Any = (),
        session_methods: Any = (),
        context: Any = (),
        closing: bool = False,
        ignoring: bool = False,
        subdomains: bool = False,
    ) -> Iterator[None]:
        kind = self.subclass(self.flask.Flask, methods, name)
        if ignoring:
            kind.should_ignore_error = lambda app, error: self.note(f"{name} ignores {self.error(error)}") is None
        if context:
            contexts = self.subclass(self.side.ctx.RequestContext, context, name)
            kind.request_context = lambda app, environ: contexts(app, environ)
        if closing:
            kind.request_class = self.subclass(self.flask.Request, [{"method": "close"}], name)
        kind.session_interface = self.session_interface(session_methods, name)
        app = kind(name, static_folder=None, template_folder=None, subdomain_matching=subdomains)
        app.config.update(config)
        self.apps.setdefault(name, app)
        with self.logged(app):
            for register, parts in ((self.view, views), (self.hook, hooks), (self.handler, handlers)):
                for part in parts:
                    self.attempt(f"{name} {register.__name__}", partial(register, app, **part))
            yield

    @contextlib.contextmanager
    def logged(self, app: Any) -> Iterator[None]:
        """Note what the application logs instead of printing it."""
        logger, handler = logging.getLogger(app.name), logging.Handler()
        handler.emit = lambda record: self.note(  # type: ignore[method-assign]
            f"{app.name} logs {record.levelname} {self.error(record.exc_info and record.exc_info[1])}"
        )
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.NOTSET)
        try:
            yield
        finally:
            logger.handlers, logger.propagate = [], True

    def attempt(self, what: str, act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception as error:
            self.note(f"{what} refused with {self.error(error)}")

    def subclass(self, base: type, overrides: Any, owner: str) -> Any:
        """Return a subclass whose methods note the call, run a body, and then call the inherited method."""
        kind = type(base.__name__, (base,), {})

        def override(method: str = "copy", body: Any = ()) -> None:
            inherited = getattr(base, method, None)

            def call(instance: Any, *args: Any, **options: Any) -> Any:
                self.note(f"{owner} {method}")
                self.do(Scope(f"{owner} {method}"), body)
                return inherited(instance, *args, **options)

            if inherited is not None:
                setattr(kind, method, call)

        for each in overrides:
            override(**each)
        return kind

    def session_interface(self, overrides: Any, owner: str) -> Any:
        base = self.side.sessions.SecureCookieSessionInterface

        def save_session(interface: Any, app: Any, session: Any, response: Any) -> None:
            accessed = session.accessed
            base.save_session(interface, app, session, response)
            self.saved(session, response, accessed)

        return self.subclass(type("Interface", (base,), {"save_session": save_session}), overrides, owner)()

    def view(
        self,
        app: Any,
        rule: str = "/a",
        rule_too: str | None = None,
        defaults: Any = None,
        methods: Any = None,
        label: str = "0",
        body: Any = (),
        strict_slashes: bool | None = None,
        automatic_options: bool | None = None,
        subdomain: str | None = None,
    ) -> None:
        def view(**values: Any) -> Any:
            who = f"{app.name} view {label}"
            self.note(f"{who} {sorted((key, str(value)) for key, value in values.items())}")
            return self.do(Scope(who, values=values), body)

        if rule.endswith("/"):
            methods, automatic_options = ["GET", "POST"], None
        given = {"methods": methods, "strict_slashes": strict_slashes, "subdomain": subdomain}
        given["provide_automatic_options"] = automatic_options
        options = {key: value for key, value in given.items() if value is not None}
        app.add_url_rule(rule, rule[1:2], view, **options)
        if rule_too:
            app.add_url_rule(rule_too, rule[1:2], view, defaults=defaults, **options)

    def hook(self, app: Any, kind: str = "before_request", label: str = "0", body: Any = ()) -> None:
        who = f"{app.name} {kind} {label}"

        def act(*told: Any, **given: Any) -> Any:
            self.note(" ".join([who, *map(str, told)]))
            return self.do(Scope(who, **given), body)

        def first() -> None:
            self.starting.append(app)
            try:
                act()
            finally:
                self.starting.remove(app)

        def values(endpoint: Any, values: Any) -> None:
            act(endpoint, values, values=values)

        def error(error: Any) -> None:
            act(self.error(error), error=error)

        def build_error(error: Any, endpoint: str, values: dict[str, Any]) -> Any:
            return act(self.error(error), endpoint, sorted(values), error=error)

        functions: dict[str, Any] = {
            "before_first_request": first,
            "before_request": act,
            "after_request": lambda response: self.after(who, body, response),
            "teardown_request": error,
            "teardown_appcontext": error,
            "url_value_preprocessor": values,
            "url_defaults": values,
        }
        if kind == "url_build_error":
            app.url_build_error_handlers.append(build_error)
        else:
            getattr(app, kind)(functions[kind])

    def after(self, who: str, body: Any, response: Any) -> Any:
        self.note(f"{who} {getattr(response, 'status_code', type(response).__name__)}")
        return self.do(Scope(who, response=response), body, otherwise=response)

    def handler(self, app: Any, target: Any = 404, label: str = "0", body: Any = ()) -> None:
        who = f"{app.name} handler {label} of {target}"

        def handle(error: Any) -> Any:
            self.note(f"{who}: {self.error(error)}")
            return self.do(Scope(who, error=error), body)

        app.register_error_handler(self.error_class(target) if isinstance(target, str) else target, handle)

    def error_class(self, name: str) -> Any:
        return ERRORS.get(name) or getattr(werkzeug.exceptions, name)

    @contextlib.contextmanager
    def receiver(self, signal: str = "request_started", body: Any = ()) -> Iterator[None]:
        def receive(sender: Any, **values: Any) -> None:
            shown = {key: self.value(value) for key, value in sorted(values.items())}
            self.note(f"signal {signal} from {sender.name} {shown}")
            self.do(Scope(f"receiver of {signal}"), body)

        with getattr(self.side.signals, signal).connected_to(receive):
            yield

    # Acting

    def do(self, scope: Scope, body: Any, otherwise: Any = None) -> Any:
        """Run the body of a function and return its answer. A recursive call does nothing, so that it ends."""
        if scope.label in self.busy:
            return otherwise
        self.busy.append(scope.label)
        try:
            answer = self.run(body, scope)
            return otherwise if answer is None else answer.value
        finally:
            self.busy.remove(scope.label)

    def run(self, body: Any, scope: Scope) -> Answer | None:
        """Run the actions of a body until one answers, then the postponed actions, the last one first."""
        scope = replace(scope, later=[])
        try:
            for action in body:
                answer = self.act(scope, **action)
                if answer is not None:
                    return answer
            return None
        finally:
            while scope.later:
                scope.later.pop()()

    def act(self, scope: Scope, do: str = "see", **options: Any) -> Answer | None:
        if self.departed or self.muted:
            return None
        self.fuel -= 1
        answer: Answer | None = getattr(self, f"act_{do}")(scope, **options) if self.fuel >= 0 else None
        return answer

    def safely(self, label: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:
            self.note(f"{label} ends with {self.error(error)}")

    def act_see(self, scope: Scope) -> None:
        self.note(f"{scope.label} sees")

    def act_g(self, scope: Scope, how: str = "set", name: str = "x") -> None:
        g, seen = self.flask.g, None
        if how == "set":
            setattr(g, name, scope.label)
        elif how == "delete":
            delattr(g, name)
        else:
            seen = g.get(name) if how == "get" else g.pop(name, None) if how == "pop" else g.setdefault(name, "default")
        self.note(f"{scope.label} g {how} {name}: {seen} {name in g}")

    def act_session(self, scope: Scope, how: str = "set", name: str = "x") -> None:
        session = scope.response if hasattr(scope.response, "accessed") else self.flask.session
        seen = None
        if how == "set":
            session[name] = scope.label
        elif how in ("permanent", "temporary"):
            session.permanent = how == "permanent"
        elif how == "odd":
            session[name] = object
        elif how == "nested":
            session[name] = {"list": [1, (2, b"3")]}
        elif how == "append":
            session.setdefault(name, {"list": []})["list"].append(4)
        elif how == "update":
            session.update({name: [None, True]})
        elif how == "clear":
            session.clear()
        elif how == "unmodified":
            session.modified = False
        elif how == "setdefault":
            seen = session.setdefault(name, 5)
        else:
            seen = session.get(name)
            if how == "pop":
                session.pop(name, None)
        self.note(f"{scope.label} session {how} {name}: {seen!r} {self.session(session)}")

    def act_flash(self, scope: Scope, message: str = "m", category: str = "message") -> None:
        self.flask.flash(message, category)
        self.note(f"{scope.label} flashes")

    def act_flashes(self, scope: Scope, with_categories: bool = False, category_filter: Any = ()) -> None:
        self.flask.session.get("_flashes")
        found = self.flask.get_flashed_messages(with_categories, category_filter)
        self.note(f"{scope.label} reads flashes {[list(each) if with_categories else each for each in found]}")

    def act_url_for(self, scope: Scope, endpoint: str = "a", values: Any = ()) -> None:
        self.note(f"{scope.label} builds {self.value(self.flask.url_for(endpoint, **dict(values)))}")

    def act_read(self, scope: Scope, what: str = "args") -> None:
        request = self.flask.request
        if not request.environ.get("program.answered"):
            value = request.get_json(force=True) if what == "json" else getattr(request, what)["q"]
            self.note(f"{scope.label} reads {what} {value}")

    def act_value(self, scope: Scope, name: str = "extra", how: str = "set") -> None:
        if isinstance(scope.values, dict):
            scope.values.pop(name, None)
            if how == "set":
                scope.values[name] = 7

    def act_fail(self, scope: Scope, error: str = "Oops") -> None:
        made: dict[str, Callable[[], BaseException]] = {
            "same": lambda: scope.error or Oops(scope.label),
            "Answered": lambda: Teapot(response=PlainResponse("~answered", 203)),
            "Wrapped": lambda: werkzeug.exceptions.InternalServerError(original_exception=Ouch(scope.label)),
            "BadRequestKeyError": lambda: werkzeug.exceptions.BadRequestKeyError("q"),
            "RequestRedirect": lambda: RequestRedirect("http://elsewhere.test/"),
        }
        if error in made:
            raise made[error]()
        kind = self.error_class(error)
        raise kind() if issubclass(kind, werkzeug.exceptions.HTTPException) else kind(scope.label)

    def act_abort(self, scope: Scope, code: Any = 404) -> None:
        self.flask.abort(self.flask.Response("~aborted", 201) if code == "response" else code)

    def act_header(self, scope: Scope) -> None:
        if hasattr(scope.response, "headers"):
            scope.response.headers.add("X-By", scope.label)

    def act_replace(self, scope: Scope) -> Answer | None:
        fits = hasattr(scope.response, "headers")
        return Answer(self.flask.Response(f"~replaced by {scope.label}", 299)) if fits else None

    def act_config(self, scope: Scope, key: str = "TESTING", value: bool = True) -> None:
        self.flask.current_app.config[key] = value

    def act_register(self, scope: Scope, kind: str = "before_request", label: str = "0", body: Any = ()) -> None:
        app = self.flask.current_app._get_current_object()
        self.attempt(f"{scope.label} registering", lambda: self.hook(app, kind, label, body))

    def act_after(self, scope: Scope, label: str = "0", body: Any = ()) -> None:
        who = f"{scope.label} after_this_request {label}"
        self.flask.after_this_request(lambda response: self.after(who, body, response))

    def act_call(self, scope: Scope, method: str = "make_response") -> None:
        """Call a method of the application by hand, in the current contexts."""
        arguments: dict[str, tuple[Any, ...]] = {
            "make_response": (("~made", 202),),
            "finalize_request": ("~final",),
            "process_response": (self.flask.Response("~processed"),),
            "do_teardown_appcontext": (Oops("torn"),),
            "handle_exception": (Oops("by hand"),),
            "handle_user_exception": (Ouch("by hand"),),
            "handle_http_exception": (Missing(),),
            "inject_url_defaults": ("a", {}),
        }
        app = self.flask.current_app._get_current_object()
        with self.entered(app) as allowed:
            if allowed:
                result = getattr(app, method)(*arguments.get(method, ()))
                self.note(f"{scope.label} called {method}: {self.value(result)}")

    def act_attempt(self, scope: Scope, body: Any = (), rescue: Any = ()) -> Answer | None:
        try:
            return self.run(body, scope)
        except Exception as error:
            self.note(f"{scope.label} catches {self.error(error)}")
            return self.run(rescue, replace(scope, error=error))

    # Contexts, threads, greenlets

    def act_app_context(
        self, scope: Scope, app: str = "one", body: Any = (), twice: bool = False, by_hand: bool = False
    ) -> Answer | None:
        return self.within(scope, self.app(app).app_context(), body, twice, by_hand)

    def act_request_context(
        self,
        scope: Scope,
        app: str = "one",
        path: str = "/a",
        method: str = "GET",
        body: Any = (),
        twice: bool = False,
        by_hand: bool = False,
        preserve: bool = False,
        untidy: bool = False,
    ) -> Answer | None:
        context = self.app(app).test_request_context(path, method=self.method(method, path))
        if preserve:
            context.request.environ["flask._preserve_context"] = True
        with self.tidied(scope, untidy):
            return self.within(scope, context, body, twice, by_hand)

    def act_again(self, scope: Scope, which: str = "request", body: Any = (), untidy: bool = False) -> Answer | None:
        """Push the context on top once more, or a copy of it."""
        top = self.stacks[which == "app"].top
        with self.tidied(scope, untidy):
            return top and self.within(scope, top.copy() if which == "copy" else top, body)

    def within(
        self, scope: Scope, context: Any, body: Any, twice: bool = False, by_hand: bool = False
    ) -> Answer | None:
        if by_hand:
            context.push()
            try:
                answer = self.run(body, scope)
            except Exception as error:
                self.note(f"{scope.label} pops after {self.error(error)}")
                context.pop()
                raise
            context.pop()
            return answer
        with context:
            self.note(f"{scope.label} is in {self.context(context)}")
            if twice:
                with context:
                    self.note(f"{scope.label} is in it twice")
            return self.run(body, scope)

    @contextlib.contextmanager
    def tidied(self, scope: Scope, untidy: bool) -> Iterator[None]:
        """Pop the preserved contexts above a context that is still in use, as a careful program would."""
        below = self.stacks[0].top
        try:
            yield
        finally:
            careless = untidy or below is None or below.request.environ.get("flask._preserve_context")
            while not careless and (top := self.stacks[0].top) not in (None, below) and top.preserved:
                self.note(f"{scope.label} tidies")
                self.safely(scope.label, lambda top=top: top.pop(top._preserved_exc))
                careless = self.stacks[0].top is top

    def act_copied(
        self, scope: Scope, how: str = "inline", body: Any = (), twice: bool = False, untidy: bool = False
    ) -> None:
        """Run a body in a copy of the request context: here, in a thread, in a greenlet, or when this body ends."""
        inner = replace(scope, label=f"{scope.label} copied {how}", client=None)

        @self.flask.copy_current_request_context
        def copied() -> Any:
            self.note(f"{inner.label} runs")
            return self.run(body, inner) and "answered"

        def call() -> None:
            for _ in range(1 + twice):
                self.note(f"{scope.label} copied: {copied()}")

        if how == "inline":
            with self.tidied(scope, untidy):
                call()
        elif how == "later":
            scope.later.append(lambda: self.safely(inner.label, call))
        elif how == "thread":
            self.in_thread(inner.label, call)
        else:
            self.in_greenlet(scope, inner.label, call)

    def act_thread(self, scope: Scope, body: Any = ()) -> None:
        inner = replace(scope, label=f"{scope.label} thread", client=None)
        self.in_thread(inner.label, lambda: self.run(body, inner))

    def act_greenlet(self, scope: Scope, body: Any = ()) -> None:
        inner = replace(scope, label=f"{scope.label} greenlet", client=None)
        self.in_greenlet(scope, inner.label, lambda: self.run(body, inner))

    def act_switch(self, scope: Scope) -> None:
        """Switch to the greenlet that started this one, until the body that started it ends."""
        if getcurrent().parent is not None:
            self.note(f"{scope.label} switches away")
            getcurrent().parent.switch()
            self.note(f"{scope.label} is back")

    def in_thread(self, label: str, call: Callable[[], Any]) -> None:
        thread = threading.Thread(target=self.apart, args=(label, call))
        thread.start()
        thread.join()
        self.note(f"{label} joined")

    def in_greenlet(self, scope: Scope, label: str, call: Callable[[], Any]) -> None:
        def finish() -> None:
            while not started.dead:
                started.switch()
            self.note(f"{label} finished")

        started = greenlet(lambda: self.apart(label, call))
        started.switch()
        scope.later.append(finish)

    def apart(self, label: str, call: Callable[[], Any]) -> None:
        self.note(f"{label} starts")
        self.safely(label, call)
        self.pop_leftovers(label)

    def pop_leftovers(self, whose: str) -> None:
        """Pop and note the contexts that the program left on the stacks of this thread or greenlet."""
        while pushed := [stack for stack in self.stacks if getattr(stack._local, "stack", None)]:
            stack, top = pushed[0], pushed[0].top
            self.note(f"{whose} left {self.context(top)}")
            if top is not None:
                self.safely("a leftover", lambda top=top: top.pop(getattr(top, "_preserved_exc", None)))
            if stack.top is top:
                stack.pop()

    def close_streams(self) -> None:
        """Close the open streams, as the time of a garbage collection is not the same on both sides."""
        while self.streams:
            self.safely("an abandoned stream", self.streams.pop().close)

    # Clients and requests

    def app(self, name: str) -> Any:
        return self.apps.get(name) or next(iter(self.apps.values()))

    def method(self, method: str, path: str) -> str:
        return "GET" if path.split("?")[0] in SLASHLESS and method != "POST" else method

    @contextlib.contextmanager
    def entered(self, app: Any) -> Iterator[bool]:
        """Yield whether a request to this application may begin: at a limited depth, and without a deadlock."""
        self.depth += 1
        try:
            yield self.depth <= 3 and app not in self.starting
        finally:
            self.depth -= 1

    def act_client(
        self, scope: Scope, app: str = "one", body: Any = (), rest: Any = (), entered: bool = False, again: bool = False
    ) -> Answer | None:
        client = scope.client if again and scope.client else self.app(app).test_client()
        scope = replace(scope, client=client)
        with client if entered else contextlib.nullcontext():
            answer = self.run(body, scope)
            self.note(f"{scope.label} leaves its client")
        return answer or self.run(rest, scope)

    def act_transaction(self, scope: Scope, body: Any = ()) -> None:
        if scope.client is None or scope.client.application in self.starting:
            return
        with scope.client.session_transaction() as session:
            self.note(f"{scope.label} opens {self.session(session)}")
            self.run(body, replace(scope, response=session))

    def act_request(
        self,
        scope: Scope,
        app: str = "one",
        path: str = "/a",
        method: str = "GET",
        via: str = "client",
        read: str = "all",
        close: str = "now",
        caught: bool = True,
        untidy: bool = False,
        follow: bool = False,
        form: Any = None,
        data: str | None = None,
        base: str | None = None,
        other: bool = False,
    ) -> None:
        fresh = other or base is not None or scope.client is None
        client = self.app(app).test_client() if fresh else scope.client
        method = self.method(method, path)
        who = f"{scope.label} {method} {path}"
        answered: list[bool] = []
        options: dict[str, Any] = {"method": method, "environ_overrides": {"program.answered": answered}}
        if data is not None:
            options.update(data=data, content_type="application/json")
        elif form is not None:
            options["data"] = form
        if base is not None:
            options["base_url"] = base
        kept = untidy or getattr(scope.client, "preserve_context", False)
        with self.entered(client.application) as allowed, self.tidied(scope, kept):
            if not allowed:
                self.note(f"{who} skipped")
                return
            try:
                if via == "wsgi":
                    url = base or "http://localhost/"
                    status, headers, chunks, shut = self.serve(client.application, path, {**options, "base_url": url})
                else:
                    url = self.side.testing.EnvironBuilder(client.application, path, base).base_url
                    at_root = client.application.config["APPLICATION_ROOT"] == "/"
                    response = client.open(path, follow_redirects=follow and at_root, **options)
                    status, headers = str(response.status_code), list(response.headers)
                    if "Content-Type" not in response.headers:
                        headers.append(("Content-Type", "text/html; charset=utf-8"))
                    chunks, shut = iter(response.response), response.close
                answered.append(True)
                self.note(f"{who}: {status} {self.headers(headers, url)}")
                self.consume(scope, who, chunks, shut, read, close)
            except BaseException as error:
                self.note(f"{who} surfaces {self.error(error)}")
                if not caught:
                    raise

    def serve(self, app: Any, path: str, options: dict[str, Any]) -> Any:
        """Call the application as a server does."""
        started: list[Any] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            started.append((status[:3], headers))

        iterable = app(EnvironBuilder(path, **options).get_environ(), start_response)
        return (*started[-1], iter(iterable), getattr(iterable, "close", lambda: None))

    def consume(self, scope: Scope, who: str, chunks: Any, shut: Any, read: str, close: str) -> None:
        def finish() -> None:
            shut()
            self.note(f"{who} closed")

        try:
            if read == "all":
                self.note(f"{who} body {self.text(b''.join(chunks))}")
            elif read == "first":
                self.note(f"{who} begins {self.text(next(chunks, b''))}")
        finally:
            if close == "later":
                scope.later.append(lambda: self.safely(who, finish))
            else:
                finish()

    # Return values

    def act_answer(
        self, scope: Scope, form: str = "text", text: str = "~", how: str = "plain", body: Any = (), holds: str = ""
    ) -> Answer:
        flask = self.flask
        forms: dict[str, Callable[[], Any]] = {
            "text": lambda: text,
            "bytes": lambda: text.encode(),
            "bytearray": lambda: bytearray(text, "utf-8"),
            "status": lambda: (text, 203),
            "word": lambda: (text, "404 NOT THERE"),
            "headers": lambda: (text, {"X-Form": "headers"}),
            "pairs": lambda: (text, [("X-Form", "1"), ("X-Form", "2")]),
            "both": lambda: (text, 404, {"X-Form": "both"}),
            "dict": lambda: {"text": text, "a": [1, None]},
            "response": lambda: flask.Response(text, 206),
            "plain": lambda: PlainResponse(text, 207),
            "nested": lambda: (flask.Response(text, headers={"X-Form": "inner"}), 208, {"X-Form": "outer"}),
            "wsgi": lambda: self.small_application(text),
            "error": Missing,
            "redirect": lambda: flask.redirect("/a"),
            "json": lambda: flask.jsonify(text, {"b": 1, "a": 2}),
            "made": lambda: flask.make_response(text, 201),
            "empty": lambda: ("", 204),
            "blank": lambda: "",
            "none": lambda: None,
            "int": lambda: 5,
            "four": lambda: (text, 200, {}, 4),
            "list": lambda: [text],
            "stream": lambda: flask.Response(self.stream(scope, text, how, body, holds), mimetype="text/plain"),
        }
        return Answer(forms[form]())

    def small_application(self, text: str) -> Any:
        def application(environ: Any, start_response: Any) -> Any:
            self.note(f"an application inside {environ['PATH_INFO']}")
            start_response("202 Accepted", [("X-Form", "wsgi")])
            return [text.encode()]

        return application

    def stream(self, scope: Scope, text: str, how: str, body: Any, holds: str) -> Any:
        """Return a generator that acts between its chunks, and may keep a context of its own pushed."""
        inner = replace(scope, label=f"{scope.label} stream", client=None)

        tops = [stack.top for stack in self.stacks]
        context = None if how == "plain" else tops[0]
        if context is not None:
            self.held.append(context)

        def resume() -> None:
            """End the trace of the reference if other contexts are on top, as it would pop them."""
            if how != "plain" and self.side.name == "flask" and tops != [stack.top for stack in self.stacks]:
                self.depart()

        def generate() -> Iterator[str]:
            resume()
            held = getattr(self.app("two"), holds)() if holds else contextlib.nullcontext()
            try:
                with held:
                    self.note(f"{inner.label} starts")
                    for action in [None, *body]:
                        if action is not None:
                            self.run([action], inner)
                        tops[:] = [stack.top for stack in self.stacks]
                        try:
                            yield text
                        finally:
                            resume()
                    self.note(f"{inner.label} ends")
            except BaseException as error:
                self.note(f"{inner.label} leaves with {self.error(error)}")
                raise
            finally:
                if context in self.held:
                    self.held.remove(context)

        with_context = self.flask.stream_with_context
        if how == "plain":
            stream: Any = generate()
        else:
            kept = with_context(generate)() if how == "decorated" else with_context(generate())
            stream = Stream(kept, resume)
        self.streams.append(stream)
        return stream


class Stream:
    """A stream that calls a function before it is closed, even if it has not begun."""

    def __init__(self, stream: Any, before_close: Callable[[], None]) -> None:
        self.stream = stream
        self.before_close = before_close

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self.stream)

    def close(self) -> None:
        self.before_close()
        self.stream.close()


def serve(name: str) -> None:
    """Read programs and print their traces. If a program hangs, the process exits."""
    side = load(name)
    for line in sys.stdin:
        faulthandler.dump_traceback_later(30, exit=True)
        print(json.dumps(run(side, json.loads(line))), flush=True)
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    serve(sys.argv[1])
