"""Random programs that override methods, properties and values of the classes that the shortcuts bypass.

A program builds an application and makes requests. Between them it replaces attributes of a class of Werkzeug or
schlenk, of a subclass that the application uses, or of an instance. `run` returns its trace: the status, headers and
body of each response, the functions that ran, in order, and the contexts that are left on the stacks.
"""

from __future__ import annotations

import io
import json
import random
import re
import sys
import time
from functools import partial
from inspect import getattr_static
from typing import Any, Callable

from itsdangerous import Signer, TimestampSigner, URLSafeTimedSerializer
from werkzeug import exceptions, routing, wrappers
from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.utils import cached_property

import schlenk
from schlenk import ctx, local, sessions


class OwnHeaders(Headers):
    """Replaced instead of Werkzeug's class, as a patch of that is a known departure. So are the classes below."""


class OwnEnvironHeaders(EnvironHeaders):
    pass


class OwnSerializer(URLSafeTimedSerializer):
    pass


class OwnSigner(TimestampSigner):
    pass


class OwnConverter(routing.IntegerConverter):
    pass


# The classes whose attributes are replaced. A program makes subclasses of the first class of each kind.
KINDS: dict[str, tuple[Any, ...]] = {
    "response": (schlenk.Response, wrappers.Response),
    "request": (schlenk.Request, wrappers.Request),
    "map": (schlenk.Flask.url_map_class, routing.Map),
    "adapter": (routing.MapAdapter,),
    "rule": (routing.Rule,),
    "error": (exceptions.NotFound, exceptions.HTTPException),
    "headers": (OwnHeaders,),
    "environ headers": (OwnEnvironHeaders,),
    "request context": (ctx.RequestContext,),
    "app context": (ctx.AppContext,),
    "interface": (sessions.SecureCookieSessionInterface, sessions.SessionInterface),
    "session": (sessions.SecureCookieSession,),
    "serializer": (OwnSerializer,),
    "signer": (OwnSigner,),
    "app": (schlenk.Flask,),
    "converter": (OwnConverter,),
    "stack": (local.LocalStack,),
}
# Values with a meaning, by kind and name.
VALUES: dict[str, dict[str, tuple[Any, ...]]] = {
    "response": {
        "default_status": (201, "202 Yes", 204, 304),
        "default_mimetype": (None, "text/plain", "image/x"),
        "automatically_set_content_length": (False,),
        "autocorrect_location_header": (True,),
        "implicit_sequence_conversion": (False,),
        "status": ("299 Odd", 404, "304"),
        "status_code": (204, 299, 500),
        "mimetype": ("text/x", "application/json"),
        "data": ("other", b"bytes"),
        "response": (["a", "b"], [b"one"], (b"t",), "str", b"bytes"),
        "direct_passthrough": (True,),
        "headers": (Headers({"X-Set": "1"}),),
        "content_length": (3,),
        "location": ("/é",),
    },
    "request": {
        "cookies": ({"session": "made"},),
        "headers": (Headers({"Cookie": "session=x"}),),
        "method": ("POST",),
        "path": ("/other",),
        "dict_storage_class": (dict,),
        "trusted_hosts": (["other"], ["localhost"]),
    },
    "map": {
        "host_matching": (True,),
        "redirect_defaults": (False,),
        "default_subdomain": ("www", None),
        "strict_slashes": (False,),
        "merge_slashes": (False,),
    },
    "adapter": {
        "path_info": ("/b", "/n/9", ""),
        "default_method": ("POST", "PUT"),
        "url_scheme": ("https", "ws"),
        "subdomain": ("www",),
        "script_name": ("/under",),
        "server_name": ("other",),
        "websocket": (True,),
        "query_args": ("x=1",),
    },
    "rule": {
        "methods": (None, {"POST"}, {"GET", "PUT"}, set()),
        "redirect_to": ("/b", lambda adapter, **values: "/a"),
        "websocket": (True,),
        "defaults": ({"n": 5}, {}),
        "alias": (True,),
        "endpoint": ("b",),
        "strict_slashes": (False,),
        "merge_slashes": (False,),
        "build_only": (True,),
        "provide_automatic_options": (True, False),
    },
    "error": {"code": (410, 204, None, 100), "description": ("<b>é</b>", None), "response": (wrappers.Response("r"),)},
    "interface": {
        "salt": ("pepper",),
        "key_derivation": ("concat", "none"),
        "session_class": (sessions.NullSession,),
        "serializer": (None,),
    },
    "session": {"modified": (True, False), "accessed": (True, False), "permanent": (False,)},
    "serializer": {"salt": (b"pepper",), "secret_keys": ([b"other"],), "signer": (Signer,)},
    "signer": {"sep": (b"!",), "salt": (b"pepper",), "key_derivation": ("none",)},
    "app": {"response_class": (wrappers.Response,), "session_cookie_name": ("biscuit",)},
    "converter": {"regex": ("[0-9]",)},
}
# Python itself calls these, or nothing could be observed without them.
UNTOUCHED = set(
    "__new__ __class__ __dict__ __doc__ __init_subclass__ __subclasshook__ __class_getitem__ __getattribute__ "
    "__weakref__ __repr__ __str__ __sizeof__ __dir__ __format__ __reduce__ __reduce_ex__ __getstate__ __hash__ "
    "__del__ __slots__ __annotations__ __module__ __abstractmethods__ __orig_bases__ __parameters__ "
    "__match_args__ __ident_func__ "
    # Known departures.
    "digest_method top update get_default_redirect".split()
)
PATHS = ("/a", "/a", "/b", "/n/7", "/n/7", "/n/8", "/f", "/f/", "//a", "/missing", "/error", "/redirect", "/d", "/d/1")
HOSTS = ("localhost", "www.example.org:8080", "LOCALHOST:80")
VIEWS = (
    "text",
    "bytes",
    "headers",
    "own headers",
    "tuple",
    "object",
    "foreign",
    "error",
    "stream",
    "session",
    "cookie",
)
ACTIONS = ("observe", "twist", "fail", "value", "property")


class Failure(Exception):
    pass


def names(kind: str) -> list[str]:
    """Return the names of a kind that can be replaced."""
    cls = KINDS[kind][0]
    return [
        name
        for name in sorted(dir(cls))
        if (not name.startswith("_") or name.startswith("__"))
        and name not in UNTOUCHED
        and (callable(found := getattr_static(cls, name)) or hasattr(type(found), "__get__"))
        and not isinstance(found, type)
    ]


NAMES = {kind: names(kind) for kind in KINDS}


def twisted(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (str, bytes)):
        return value + value[:1]
    if isinstance(value, list):
        return value[1:]
    return value


def own_property(name: str, found: Any) -> property:
    """Return a property that replaces an attribute and changes its value when it is read."""

    def read(instance: Any) -> Any:
        values = vars(instance)
        if f"own {name}" in values:
            value = values[f"own {name}"]
        elif name in values:
            value = values[name]
        elif hasattr(type(found), "__get__"):
            value = found.__get__(instance, type(instance))
        elif found is not None:
            value = found
        else:
            raise AttributeError(name)
        if type(value) is Headers:
            value = value.copy()
            value["X-Own"] = "1"
            return value
        return twisted(value)

    def write(instance: Any, value: Any) -> None:
        if hasattr(type(found), "__set__"):
            found.__set__(instance, value)
        else:
            vars(instance)[f"own {name}"] = value

    return property(read, write)


class Program:
    """One application, its requests, and the overrides between them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seen: list[Any] = []
        self.undo: list[Callable[[], None]] = []
        self.pending: dict[str, list[Callable[[Any], None]]] = {}
        self.classes: dict[str, Any] = {}

    # Overrides

    def wrapped(self, label: str, function: Any, action: str) -> Any:
        def replacement(*arguments: Any, **keywords: Any) -> Any:
            self.seen.append(label)
            if action == "fail":
                raise Failure(label)
            result = function(*arguments, **keywords)
            return twisted(result) if action == "twist" else result

        return replacement

    def replacement(self, label: str, found: Any, action: str) -> Any:
        """Return the replacement of the attribute ``found`` of a class."""
        if isinstance(found, classmethod):
            return classmethod(self.wrapped(label, found.__func__, action))
        if isinstance(found, staticmethod):
            return staticmethod(self.wrapped(label, found.__func__, action))
        if isinstance(found, cached_property):
            return type(found)(self.wrapped(label, found.fget, action), name=found.__name__)
        if hasattr(type(found), "__set__"):
            read = self.wrapped(label, lambda obj: found.__get__(obj, type(obj)), action)
            return property(read, lambda obj, value: found.__set__(obj, value))
        if hasattr(type(found), "__get__") and not callable(found):
            # The cookies of a request with the shortcuts. Werkzeug's are a cached_property.
            read = self.wrapped(label, lambda obj: found.__get__(obj, type(obj)), action)
            return cached_property(read, name="cookies")
        return self.wrapped(label, found, action) if callable(found) else found

    def override_class(self, cls: Any, kind: str) -> None:
        name, value = self.choice(kind, cls)
        if cls is exceptions.HTTPException and name in ("__init__", "__setattr__"):
            # Reading a missing header raises an error of this class, which is caught.
            return
        label = f"{kind} class {name}"
        if not callable(value):
            self.replace(cls, name, value[0])
            return
        self.replace(cls, name, value(label, getattr_static(cls, name, None)))

    def override_instance(self, kind: str, name: str, value: Any, instance: Any) -> None:
        try:
            if callable(value):
                found = getattr_static(type(instance), name, None)
                # With a shortcut, the classes that a serializer uses are attributes of its class.
                is_method = callable(found) and not isinstance(found, type)
                if not is_method or hasattr(type(found), "__set__") or name.startswith("__"):
                    return
                value = self.wrapped(
                    f"{kind} instance {name}", getattr(instance, name), self.random.choice(ACTIONS[:3])
                )
            else:
                value = value[0]
            self.seen.append(f"set {kind} {name}")
            object.__setattr__(instance, name, value) if callable(value) else setattr(instance, name, value)
        except Exception as error:
            self.seen.append(f"{kind} instance {name}: {type(error).__name__}")

    def choice(self, kind: str, cls: Any) -> tuple[str, Any]:
        """Return a name, and either a tuple with its value or a function that makes the value."""
        action = self.random.choice(ACTIONS)
        if action == "property" and kind in VALUES:
            name = self.random.choice(sorted(VALUES[kind]))
            return name, lambda label, found: own_property(name, found)
        if action in ("value", "property") and kind in VALUES:
            name = self.random.choice(sorted(VALUES[kind]))
            value = self.random.choice(VALUES[kind][name])
            return name, (value.copy() if isinstance(value, (set, list, dict, Headers)) else value,)
        if kind in ("stack", "request context", "app context") and action == "twist":
            action = "observe"
        return self.random.choice(NAMES[kind]), lambda label, found: self.replacement(label, found, action)

    def replace(self, cls: Any, name: str, value: Any) -> None:
        missing = object()
        before = vars(cls).get(name, missing)
        try:
            setattr(cls, name, value)
        except (AttributeError, TypeError):
            return
        self.seen.append(f"replaced {getattr(cls, '__name__', 'stack')}.{name}")
        if before is missing:
            # The class of a stack may have been overridden as well.
            delete = type.__delattr__ if isinstance(cls, type) else object.__delattr__
            self.undo.append(lambda: delete(cls, name))
        else:
            self.undo.append(lambda: setattr(cls, name, before))

    def override(self) -> None:
        kind = self.random.choice([*KINDS])
        where = self.random.choice(("class", "subclass", "instance", "instance"))
        if where == "class":
            self.override_class(self.random.choice(KINDS[kind]), kind)
        elif where == "subclass":
            self.override_class(self.subclass(kind), kind)
        else:
            name, value = self.choice(kind, KINDS[kind][0])
            if kind == "app":
                self.override_instance(kind, name, value, self.app)
            elif kind == "map":
                self.override_instance(kind, name, value, self.app.url_map)
            elif kind == "rule":
                self.override_instance(kind, name, value, self.random.choice([*self.app.url_map.iter_rules()]))
            elif kind == "interface":
                self.override_instance(kind, name, value, self.app.session_interface)
            elif kind == "stack":
                self.patch_stack(name, value)
            else:
                self.pending.setdefault(kind, []).append(partial(self.override_instance, kind, name, value))

    def patch_stack(self, name: str, value: Any) -> None:
        stack = self.random.choice((schlenk._request_ctx_stack, schlenk._app_ctx_stack))
        if (
            callable(value)
            and not name.startswith("__")
            and not isinstance(getattr_static(type(stack), name), property)
        ):
            wrapped = self.wrapped(f"stack instance {name}", getattr(stack, name), "observe")
            self.replace(stack, name, wrapped)

    def subclass(self, kind: str) -> Any:
        """Return the subclass that the program uses, which may be a subclass of an earlier one."""
        if kind not in self.classes or self.random.random() < 0.3:
            self.classes[kind] = type(f"Own{kind.title().replace(' ', '')}", (self.cls(kind),), {})
            self.use(kind)
        return self.classes[kind]

    def cls(self, kind: str) -> Any:
        return self.classes.get(kind, KINDS[kind][0])

    def use(self, kind: str) -> None:
        """Put a subclass to use in the application."""
        attribute = {"response": "response_class", "request": "request_class", "rule": "url_rule_class"}.get(kind)
        if attribute:
            setattr(self.app, attribute, self.classes[kind])
        elif kind == "interface":
            self.app.session_interface = self.classes[kind]()
        elif kind == "session":
            self.app.session_interface.session_class = self.classes[kind]  # type: ignore[attr-defined]
        elif kind == "map":
            self.app.url_map = self.classes[kind]()
            self.route()
        elif kind == "app":
            self.app.__class__ = self.classes[kind]
        elif kind == "converter":
            self.app.url_map.converters = {**self.app.url_map.converters, "int": self.classes[kind]}

    def apply(self, kind: str, instance: Any) -> Any:
        for act in self.pending.get(kind, ()):
            act(instance)
        return instance

    # The application

    def build(self) -> None:
        program = self

        class App(schlenk.Flask):
            def request_context(self, environ: Any) -> Any:
                context = program.cls("request context")(self, environ)
                program.apply("environ headers", getattr(context.request, "headers", None))
                return program.apply("request context", context)

            def app_context(self) -> Any:
                return program.apply("app context", program.cls("app context")(self))

            def create_url_adapter(self, request: Any) -> Any:
                if request is not None:
                    program.apply("request", request)
                adapter = super().create_url_adapter(request)
                if adapter is not None and "adapter" in program.classes:
                    adapter = program.classes["adapter"](**vars(adapter))
                return adapter if adapter is None else program.apply("adapter", adapter)

        class Sessions(sessions.SecureCookieSessionInterface):
            def get_signing_serializer(self, app: Any) -> Any:
                serializer = super().get_signing_serializer(app)
                if serializer is not None:
                    if "signer" in program.classes:
                        serializer.signer = program.classes["signer"]
                    program.apply("serializer", serializer)
                return serializer

            def open_session(self, app: Any, request: Any) -> Any:
                return program.apply("session", super().open_session(app, request))

        # The methods of App disable some shortcuts, so the plain class is used as well.
        self.app = schlenk.Flask("own") if self.random.random() < 0.3 else App("own")
        if self.random.random() < 0.5:
            self.app.session_interface = Sessions()
        else:
            self.app.session_interface = sessions.SecureCookieSessionInterface()
        self.app.secret_key = "key"
        self.app.logger.disabled = True
        self.route()
        self.app.before_request(lambda: self.seen.append("before_request"))
        self.app.teardown_request(lambda error: self.seen.append(("teardown", type(error).__name__)))
        self.app.teardown_appcontext(lambda error: self.seen.append(("teardown app", type(error).__name__)))

        @self.app.after_request
        def after(response: Any) -> Any:
            self.seen.append(("after", type(response).__name__, response.is_sequence, response.is_streamed))
            self.apply("headers", getattr(response, "headers", None))
            return self.apply("response", response)

        @self.app.errorhandler(LookupError)
        def handler(error: Any) -> Any:
            return self.app.response_class("handled", 500)

    def route(self) -> None:
        app = self.app
        for name, rule, options in (
            ("a", "/a", {}),
            ("b", "/b", {"methods": ["GET", "POST"]}),
            ("n", "/n/<int:n>", {}),
            ("f", "/f/", {}),
            ("d", "/d/<int:n>", {}),
            ("d", "/d", {"defaults": {"n": 1}}),
            ("error", "/error", {}),
            ("redirect", "/redirect", {}),
        ):
            app.view_functions.setdefault(name, getattr(self, f"view_{name}", self.view))
            app.add_url_rule(rule, name, **options)

    def view_error(self, **values: Any) -> Any:
        raise self.apply("error", self.cls("error")())

    def view_redirect(self, **values: Any) -> Any:
        return schlenk.redirect("/é?a=b c")

    def view(self, **values: Any) -> Any:
        self.seen.append(("view", schlenk.request.endpoint, values))
        kind = self.random.choice(VIEWS)
        if kind == "text":
            return "text"
        if kind == "bytes":
            return b"bytes"
        if kind == "tuple":
            return "tuple", self.random.choice((201, "299 Odd", 204, 304, 404)), {"X-Made": "1"}
        if kind == "headers":
            return "headers", self.random.choice((Headers(), {}, [], [("Content-Type", "text/x")], Headers({"A": "1"})))
        if kind == "own headers":
            headers = self.cls("headers")()
            response = self.app.response_class("own", 200, headers)
            headers["X-Later"] = "1"
            return response
        if kind == "object":
            return self.app.response_class("object", mimetype=self.random.choice((None, "text/plain", "")))
        if kind == "foreign":
            return wrappers.Response("foreign")
        if kind == "error":
            return self.apply("error", self.cls("error")())
        if kind == "stream":
            return self.app.response_class(iter(["st", "ream"]))
        if kind == "session":
            schlenk.session["n"] = schlenk.session.get("n", 0) + 1
            return str(schlenk.session["n"])
        response = self.app.make_response("cookie")
        response.set_cookie("k", repr(sorted(schlenk.request.cookies.items())))
        return response

    # Requests

    def request(self, cookies: dict[str, str]) -> None:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.random.choice(("GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "PUT")),
            "SCRIPT_NAME": self.random.choice(("", "", "", "/under")),
            "PATH_INFO": self.random.choice(PATHS),
            "QUERY_STRING": self.random.choice(("", "x=1")),
            "HTTP_HOST": self.random.choice(HOSTS),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": self.random.choice(("http", "http", "https")),
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "HTTP_COOKIE": "; ".join(f"{key}={value}" for key, value in cookies.items()),
        }

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            # The date depends on the time of the request.
            self.seen.append(
                (status, [(name, re.sub(r"Expires=[^;]*", "Expires", str(value))) for name, value in headers])
            )
            for name, value in headers:
                if name == "Set-Cookie" and "=" in str(value):
                    key, _, rest = str(value).partition("=")
                    cookies[key] = rest.partition(";")[0]

        state = self.random.getstate()
        try:
            body: Any = self.app(environ, start_response)
            try:
                self.seen.append([bytes(part) for part in body])
            finally:
                getattr(body, "close", lambda: None)()
        except Exception as error:
            self.seen.append((type(error).__name__, str(error) if isinstance(error, Failure) else ""))
        # The following requests must not depend on the random numbers that this one used.
        self.random.setstate(state)
        self.random.random()
        stacks = schlenk._request_ctx_stack, schlenk._app_ctx_stack
        self.seen.append([len(stack._local.__storage__) for stack in stacks])
        for stack in stacks:
            stack._local.__storage__.clear()

    def run(self) -> list[Any]:
        self.build()
        cookies: dict[str, str] = {}
        try:
            for number in range(self.random.randint(3, 9)):
                if number in (0, 2) or self.random.random() < 0.3:
                    self.seen.append("override")
                    try:
                        self.override()
                    except Exception as error:
                        self.seen.append(type(error).__name__)
                self.request(cookies)
        finally:
            for undo in reversed(self.undo):
                undo()
        return self.seen


def run(seed: int) -> list[Any]:
    """Run a program and return its trace."""
    return Program(seed).run()


def main() -> None:
    """Print the trace of each program as a line of JSON. The arguments are the first seed and the number of seeds."""
    first, number = map(int, sys.argv[1:])
    # Signatures must not depend on the time.
    time.time = lambda: 1_700_000_000.0
    for seed in range(first, first + number):
        print(json.dumps(run(seed), default=repr))


if __name__ == "__main__":
    main()
