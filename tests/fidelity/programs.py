"""Random programs: applications and the steps that use them, as data that is generated from a seed.

``generate(seed)`` returns a program as plain JSON: applications with hooks, error handlers, views and overridden
methods, signal receivers, and steps. Each of them has a ``body``, which is a list of actions. The ``do`` of an action
names a method of ``interpreter.Run``, and the other keys are its arguments. All arguments have defaults, so a program
without one of its parts is still a program, which makes it easy to reduce a difference.
"""

from __future__ import annotations

import random
from typing import Any

SIGNALS = (
    "request_started request_finished request_tearing_down got_request_exception "
    "appcontext_tearing_down appcontext_pushed appcontext_popped message_flashed"
).split()
HOOKS = (
    "before_request before_request before_request after_request after_request teardown_request teardown_request "
    "teardown_appcontext before_first_request url_value_preprocessor url_defaults url_build_error"
).split()
METHODS = (
    "wsgi_app request_context app_context create_url_adapter full_dispatch_request preprocess_request "
    "try_trigger_before_first_request_functions raise_routing_exception dispatch_request finalize_request "
    "make_default_options_response make_response process_response do_teardown_request do_teardown_appcontext "
    "handle_http_exception handle_user_exception handle_exception trap_http_exception log_exception "
    "should_ignore_error inject_url_defaults handle_url_build_error"
).split()
CALLS = (
    "full_dispatch_request try_trigger_before_first_request_functions preprocess_request dispatch_request "
    "make_response finalize_request process_response do_teardown_request do_teardown_appcontext handle_exception "
    "handle_user_exception handle_http_exception make_default_options_response inject_url_defaults"
).split()
SESSION_METHODS = "open_session make_null_session save_session is_null_session should_set_cookie".split()
CONTEXT_METHODS = "push pop auto_pop match_request copy".split()
# Overrides of these only note the call, because their outcome on the reference is patched.
SILENT = ("push", "do_teardown_request", "do_teardown_appcontext")

ERRORS = "Oops Oops Ouch Lost Halt Teapot Missing Codeless KeyError ValueError NotFound Gone BadRequest".split()
ERRORS += "BadRequestKeyError Forbidden InternalServerError RequestRedirect Answered Wrapped AssertionError".split()
HANDLED: list[Any] = [404, 405, 410, 400, 500, 500, 418, 403, 308, 999]
HANDLED += "Exception Exception HTTPException Oops Ouch Lost KeyError LookupError NotFound Missing Teapot".split()
HANDLED += "Codeless InternalServerError BadRequest BadRequestKeyError RequestRedirect MethodNotAllowed Halt".split()
FORMS = "text bytes bytearray status headers pairs both word dict response plain nested wsgi error redirect".split()
FORMS += "json made empty blank none int four list stream stream stream".split()

# Rules with paths that match, that differ by a slash or a converter, or that lack an argument with a default.
RULES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "/a": ({}, ["/a", "/a", "/a/"]),
    "/b/": ({}, ["/b/", "/b", "/b?q=1"]),
    "/c/<int:n>": ({}, ["/c/3", "/c/x"]),
    "/d/<name>/": ({}, ["/d/me/", "/d/me"]),
    "/e/<int:n>": ({"rule_too": "/e/", "defaults": {"n": 1}}, ["/e/", "/e/1", "/e/2"]),
    "/h/<any(x, y):w>": ({}, ["/h/x", "/h/z"]),
    "/i/<path:p>": ({}, ["/i/j/k"]),
    "/s/": ({"strict_slashes": False}, ["/s", "/s/"]),
    "/u/<uuid:u>": ({}, ["/u/00000000-0000-0000-0000-000000000001", "/u/1"]),
}
SLASHLESS = ("/b", "/d/me", "/s")
VIEW_METHODS = [None, None, None, ["GET"], ["POST"], ["GET", "POST"], ["PUT"], ["GET", "OPTIONS"]]

CONFIG: dict[str, list[Any]] = {
    "DEBUG": [True],
    "TESTING": [True, False],
    "PROPAGATE_EXCEPTIONS": [True, False],
    "PRESERVE_CONTEXT_ON_EXCEPTION": [True, False],
    "TRAP_HTTP_EXCEPTIONS": [True, False],
    "TRAP_BAD_REQUEST_ERRORS": [True, False],
    "SESSION_REFRESH_EACH_REQUEST": [False, True],
    "SESSION_COOKIE_NAME": ["other"],
    "SESSION_COOKIE_PATH": ["/"],
    "SESSION_COOKIE_HTTPONLY": [False],
    "SESSION_COOKIE_SAMESITE": ["Lax", "Strict"],
    "SERVER_NAME": ["example.test", "example.test:8080"],
    "APPLICATION_ROOT": ["/root"],
    "PREFERRED_URL_SCHEME": ["https"],
    "PERMANENT_SESSION_LIFETIME": [600],
    "JSON_SORT_KEYS": [False],
}


def generate(seed: int) -> dict[str, Any]:
    """Return the program of a seed, which is the same on every version of Python."""
    return Writer(seed).program()


class Writer:
    """Generates a program. It uses only ``random.Random.random``, which is the same on every version of Python."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed).random
        self.count = 0
        self.paths: dict[str, list[str]] = {}

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def among(self, low: int, high: int) -> int:
        return low + int(self.random() * (high - low + 1))

    def pick(self, choices: Any) -> Any:
        return choices[int(self.random() * len(choices))]

    def weighted(self, table: dict[str, int]) -> str:
        point = self.random() * sum(table.values())
        for choice, weight in table.items():
            point -= weight
            if point < 0:
                return choice
        return choice

    def some(self, **options: tuple[float, Any]) -> dict[str, Any]:
        """Return each option with its own probability. If its value is a list, return one of the items."""
        return {
            name: self.pick(value) if isinstance(value, list) else value
            for name, (probability, value) in options.items()
            if self.chance(probability)
        }

    def label(self) -> str:
        self.count += 1
        return str(self.count)

    def program(self) -> dict[str, Any]:
        names = ["one", "two"][: self.among(1, 2)]
        for name in names:
            self.paths[name] = ["/none"]
        apps = [self.application(name) for name in names]
        signals = self.pick([0.0, 0.3, 1.0])
        receivers = [
            {"signal": signal, "body": self.body(1, least=0, most=1) if self.chance(0.15) else []}
            for signal in SIGNALS
            if self.chance(signals)
        ]
        steps = [self.step() for _ in range(self.among(2, 6))]
        return {"apps": apps, "receivers": receivers, "steps": steps}

    def application(self, name: str) -> dict[str, Any]:
        config = {key: self.pick(values) for key, values in CONFIG.items() if self.chance(0.25)}
        if self.chance(0.85):
            config["SECRET_KEY"] = "key"
        views = [self.view(name, rule) for rule in RULES if self.chance(0.35) or rule == "/a"]
        hooks = [
            {"kind": self.pick(HOOKS), "label": self.label(), "body": self.body(2, least=0, most=3)}
            for _ in range(self.among(0, 7))
        ]
        handlers = [
            {"target": self.pick(HANDLED), "label": self.label(), "body": self.body(1, least=0, answers=0.8)}
            for _ in range(self.among(0, 4))
        ]
        app = {"name": name, "config": config, "views": views, "hooks": hooks, "handlers": handlers}
        for part, methods in (("methods", METHODS), ("session_methods", SESSION_METHODS), ("context", CONTEXT_METHODS)):
            if self.chance(0.25):
                app[part] = [self.override(method) for method in methods if self.chance(0.2)]
        return {**app, **self.some(closing=(0.2, True), ignoring=(0.06, True), subdomains=(0.08, True))}

    def override(self, method: str) -> dict[str, Any]:
        acts = self.chance(0.15) and method not in SILENT
        return {"method": method, "body": self.body(1, least=0, most=1) if acts else []}

    def view(self, app: str, rule: str) -> dict[str, Any]:
        options, paths = RULES[rule]
        self.paths[app] += paths
        view = {"rule": rule, **options, "label": self.label(), "body": self.body(3, least=0, answers=0.9)}
        view.update(self.some(methods=(0.6, VIEW_METHODS), automatic_options=(0.1, False), subdomain=(0.05, "sub")))
        return view

    def step(self) -> dict[str, Any]:
        kinds = {"client": 60, "request": 10, "request_context": 20, "app_context": 10, "attempt": 5, "thread": 5}
        kinds.update({"greenlet": 10, "copied": 3, "url_for": 2, "flash": 1, "see": 1})
        return self.action(3, self.weighted(kinds))

    def body(self, depth: int, least: int = 1, most: int = 3, answers: float = 0.06) -> list[dict[str, Any]]:
        actions = [self.action(depth) for _ in range(self.among(least, most))]
        return [*actions, self.answer(depth)] if self.chance(answers) else actions

    leaves = {"see": 30, "g": 60, "session": 70, "flash": 20, "flashes": 20, "url_for": 30, "read": 15, "value": 7}
    leaves.update({"fail": 40, "abort": 15, "header": 20, "replace": 10, "config": 3, "switch": 7, "call": 12})
    branches = {"app_context": 30, "request_context": 40, "again": 20, "copied": 40, "thread": 10, "greenlet": 15}
    branches.update({"client": 30, "request": 40, "attempt": 30, "after": 30, "register": 6})

    def action(self, depth: int, kind: str | None = None) -> dict[str, Any]:
        if kind is None:
            kind = self.weighted({**self.leaves, **self.branches} if depth > 0 else self.leaves)
        return {"do": kind, **getattr(self, f"draw_{kind}", lambda depth: {})(depth)}

    def app_name(self) -> str:
        return self.pick(list(self.paths))

    def draw_g(self, depth: int) -> dict[str, Any]:
        return {"how": self.pick(["set", "set", "get", "pop", "setdefault", "delete"]), "name": self.pick("xy")}

    def draw_session(self, depth: int) -> dict[str, Any]:
        hows = "set set set get pop clear permanent temporary nested append setdefault update unmodified odd".split()
        return {"how": self.pick(hows), "name": self.pick("xy")}

    def draw_flash(self, depth: int) -> dict[str, Any]:
        return {"message": f"m{self.label()}", **self.some(category=(0.5, ["good", "bad"]))}

    def draw_flashes(self, depth: int) -> dict[str, Any]:
        return self.some(with_categories=(0.4, True), category_filter=(0.3, [["good"], ["bad", "message"]]))

    def draw_url_for(self, depth: int) -> dict[str, Any]:
        endpoint = self.pick(["a", "a", "b", "c", "d", "e", "e", "nope", "."])
        options = self.some(_external=(0.3, [True, False]), _anchor=(0.2, "x y"), _scheme=(0.1, "https"))
        return {"endpoint": endpoint, "values": {**options, **self.some(n=(0.5, [1, 2, "x"]), _method=(0.1, "POST"))}}

    def draw_read(self, depth: int) -> dict[str, Any]:
        return {"what": self.pick(["args", "form", "files", "json"])}

    def draw_value(self, depth: int) -> dict[str, Any]:
        return {"name": self.pick(["n", "name", "extra"]), "how": self.pick(["set", "pop"])}

    def draw_fail(self, depth: int) -> dict[str, Any]:
        return {"error": self.pick([*ERRORS, "same"])}

    def draw_abort(self, depth: int) -> dict[str, Any]:
        return {"code": self.pick([404, 400, 410, 500, 418, 403, "response", 777])}

    def draw_config(self, depth: int) -> dict[str, Any]:
        key = self.pick(["DEBUG", "TESTING", "PROPAGATE_EXCEPTIONS", "PRESERVE_CONTEXT_ON_EXCEPTION"])
        return {"key": key, "value": self.chance(0.5)}

    def draw_call(self, depth: int) -> dict[str, Any]:
        return {"method": self.pick(CALLS)}

    def draw_app_context(self, depth: int) -> dict[str, Any]:
        options = self.some(twice=(0.15, True), by_hand=(0.3, True))
        return {"app": self.app_name(), "body": self.body(depth - 1), **options}

    def draw_request_context(self, depth: int) -> dict[str, Any]:
        app = self.app_name()
        options = self.some(
            twice=(0.15, True), by_hand=(0.3, True), method=(0.1, "POST"), preserve=(0.08, True), untidy=(0.1, True)
        )
        return {"app": app, "path": self.pick(self.paths[app]), "body": self.body(depth - 1), **options}

    def draw_again(self, depth: int) -> dict[str, Any]:
        which = self.pick(["request", "request", "app", "copy"])
        return {"which": which, "body": self.body(depth - 1), **self.some(untidy=(0.1, True))}

    def draw_copied(self, depth: int) -> dict[str, Any]:
        how = self.pick(["inline", "thread", "greenlet", "later"])
        options = self.some(twice=(0.15, True), untidy=(0.1, True))
        return {"how": how, "body": self.body(depth - 1, answers=0.3), **options}

    def draw_thread(self, depth: int) -> dict[str, Any]:
        return {"body": self.body(depth - 1)}

    def draw_greenlet(self, depth: int) -> dict[str, Any]:
        body = self.body(depth - 1)
        return {"body": [*body, {"do": "switch"}, *self.body(depth - 1)] if self.chance(0.6) else body}

    def draw_client(self, depth: int) -> dict[str, Any]:
        body = [self.action(depth - 1, "request") for _ in range(self.among(1, 3))]
        for kind, probability in (("transaction", 0.15), ("see", 0.1), ("flash", 0.1), ("request_context", 0.15)):
            if self.chance(probability):
                body.insert(self.among(0, len(body)), self.action(depth - 2, kind))
        if depth > 1 and self.chance(0.2):
            body.insert(self.among(0, len(body)), self.action(depth - 1, "client"))
        rest = [self.action(depth - 1, "request")] if self.chance(0.15) else []
        options = self.some(entered=(0.5, True), again=(0.04, True))
        return {"app": self.app_name(), "body": body, "rest": rest, **options}

    def draw_transaction(self, depth: int) -> dict[str, Any]:
        return {"body": [self.action(0, self.pick(["session", "session", "see", "g", "fail"]))]}

    def draw_request(self, depth: int) -> dict[str, Any]:
        app = self.app_name()
        options = self.some(
            method=(0.3, ["POST", "POST", "PUT", "HEAD", "OPTIONS", "OPTIONS"]),
            via=(0.15, "wsgi"),
            read=(0.25, ["first", "none"]),
            close=(0.15, "later"),
            caught=(0.25, False),
            untidy=(0.05, True),
            follow=(0.08, True),
            form=(0.15, {"q": "1"}),
            data=(0.1, ["{", '{"q": 1}']),
            base=(0.06, ["http://other.test/", "https://example.test/", "http://sub.example.test"]),
            other=(0.15, True),
        )
        return {"app": app, "path": self.pick(self.paths[app]), **options}

    def draw_attempt(self, depth: int) -> dict[str, Any]:
        return {"body": self.body(depth - 1), **({"rescue": self.body(depth - 1)} if self.chance(0.5) else {})}

    def draw_after(self, depth: int) -> dict[str, Any]:
        return {"label": self.label(), "body": self.body(depth - 1, least=0, most=2)}

    def draw_register(self, depth: int) -> dict[str, Any]:
        return {"kind": self.pick(HOOKS), "label": self.label(), "body": self.body(0, least=0, most=1)}

    def answer(self, depth: int) -> dict[str, Any]:
        form = self.pick(FORMS) if self.chance(0.5) else "text"
        answer = {"do": "answer", "form": form, "text": f"~{self.label()}"}
        if form == "stream":
            holds = self.some(holds=(0.2, ["app_context", "test_request_context"]))
            how = self.pick(["with_context", "with_context", "decorated", "plain"])
            answer.update(how=how, body=self.body(min(depth - 1, 1), answers=0), **holds)
        return answer


def needs(program: Any) -> set[str]:
    """Return the optional packages that a program needs."""
    found: set[str] = set()
    if isinstance(program, dict):
        if program.get("do") in ("greenlet", "switch") or program.get("how") == "greenlet":
            found.add("greenlet")
        if program.get("receivers"):
            found.add("blinker")
    for part in program.values() if isinstance(program, dict) else program if isinstance(program, list) else ():
        found |= needs(part)
    return found
