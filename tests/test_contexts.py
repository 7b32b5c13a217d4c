"""The two contexts: what belongs to an application while it is at work, and what belongs to a request."""

from __future__ import annotations

import io
import threading
from typing import Any
from unittest.mock import ANY

import pytest
from werkzeug.exceptions import BadRequest, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, RequestRedirect

from schlenk import (
    Flask,
    Request,
    Response,
    _app_ctx_stack,
    _request_ctx_stack,
    after_this_request,
    copy_current_request_context,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
    session,
    signals,
    stream_with_context,
    url_for,
)
from schlenk.ctx import AppContext, RequestContext, _AppCtxGlobals
from schlenk.local import release_local
from schlenk.sessions import NullSession, SecureCookieSession, SessionInterface
from tests.owners import in_greenlet, in_thread


class App(Flask):
    """An application that keeps in ``torn`` what its teardown functions were called with."""

    def __init__(self, name: str = "contexts", **options: Any) -> None:
        super().__init__(name, **options)
        self.secret_key = "for tests only"
        self.torn: list[tuple[str, BaseException | None]] = []
        self.teardown_request(lambda error: self.torn.append(("request", error)))
        self.teardown_appcontext(lambda error: self.torn.append(("app", error)))


class Plain:
    """An application context that is none of ours."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.g = app.app_ctx_globals_class()
        self.url_adapter = None

    def push(self) -> None:
        _app_ctx_stack.push(self)  # type: ignore[arg-type]

    def pop(self, exc: BaseException | None = None) -> None:
        self.app.do_teardown_appcontext(exc)
        assert _app_ctx_stack.pop() is self


class PlainApp(App):
    def app_context(self) -> Any:
        return Plain(self)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def error() -> Exception:
    return ValueError("an error")


@pytest.fixture
def told(app: App) -> Any:
    """Makes a signal append to a list what it tells of the application, and both stacks' tops."""
    pytest.importorskip("blinker")
    connected = []

    def told(signal: Any) -> list[Any]:
        heard: list[Any] = []

        def receive(sender: Any, **values: Any) -> None:
            heard.append((_request_ctx_stack.top, _app_ctx_stack.top, values))

        signal.connect(receive, app)
        connected.append((signal, receive))
        return heard

    yield told
    for signal, receive in connected:
        signal.disconnect(receive, app)


def tops() -> tuple[Any, Any]:
    return _request_ctx_stack.top, _app_ctx_stack.top


NOTHING = (None, None)


def fail(*arguments: Any, **keywords: Any) -> Any:
    raise ZeroDivisionError("on purpose")


# --- g


@pytest.fixture
def namespace() -> _AppCtxGlobals:
    namespace = _AppCtxGlobals()
    namespace.user = "ada"
    return namespace


def test_get_gives_the_value_or_the_default(namespace: _AppCtxGlobals) -> None:
    assert (namespace.get("user"), namespace.get("age"), namespace.get("age", 36)) == ("ada", None, 36)


def test_pop_takes_the_value_away(namespace: _AppCtxGlobals) -> None:
    assert namespace.pop("user") == "ada"
    assert "user" not in namespace


@pytest.mark.parametrize("default", [None, 36, ANY])
def test_pop_of_what_is_not_there_gives_the_default(namespace: _AppCtxGlobals, default: Any) -> None:
    assert namespace.pop("age", default) is default


def test_pop_prefers_the_value_to_the_default(namespace: _AppCtxGlobals) -> None:
    assert namespace.pop("user", None) == "ada"


def test_pop_of_what_is_not_there_is_a_key_error(namespace: _AppCtxGlobals) -> None:
    with pytest.raises(KeyError, match="age"):
        namespace.pop("age")


def test_setdefault_gives_the_value_or_sets_it(namespace: _AppCtxGlobals) -> None:
    assert namespace.setdefault("user", "grace") == "ada"
    assert namespace.setdefault("age", 36) == namespace.age == 36
    assert namespace.setdefault("place") is None
    assert vars(namespace) == {"user": "ada", "age": 36, "place": None}


def test_namespace_can_be_asked_for_names_and_gone_through(namespace: _AppCtxGlobals) -> None:
    assert "user" in namespace
    assert "age" not in namespace
    assert list(namespace) == ["user"]


def test_missing_name_is_an_attribute_error(namespace: _AppCtxGlobals) -> None:
    with pytest.raises(AttributeError, match="age"):
        namespace.age  # noqa: B018


def test_repr_of_g_names_the_application(app: App) -> None:
    with app.app_context():
        assert repr(g) == "<flask.g of 'contexts'>"


def test_repr_of_a_namespace_outside_a_context_is_that_of_an_object(namespace: _AppCtxGlobals) -> None:
    assert repr(namespace) == object.__repr__(namespace)


def test_g_is_of_the_class_that_the_application_names(app: App) -> None:
    class Mine:
        pass

    app.app_ctx_globals_class = Mine
    with app.app_context():
        assert type(g._get_current_object()) is Mine


# --- Whether there is a context


def test_there_is_none_outside() -> None:
    assert (has_request_context(), has_app_context()) == (False, False)


def test_there_is_an_application_context_alone(app: App) -> None:
    with app.app_context():
        assert (has_request_context(), has_app_context()) == (False, True)


def test_there_are_both_in_a_request(app: App) -> None:
    with app.test_request_context():
        assert (has_request_context(), has_app_context()) == (True, True)


# --- The application context


def test_application_context_holds_its_application(app: App) -> None:
    assert app.app_context().app is app


def test_each_application_context_has_a_g_of_its_own(app: App) -> None:
    with app.app_context():
        g.user = "ada"
        with app.app_context():
            assert "user" not in g
        assert g.user == "ada"


def test_application_context_builds_urls_for_the_server_name(app: App) -> None:
    app.config["SERVER_NAME"] = "localhost:8000"
    app.add_url_rule("/page", "page")
    with app.app_context():
        assert url_for("page") == "http://localhost:8000/page"


def test_application_context_without_server_name_has_no_url_adapter(app: App) -> None:
    assert app.app_context().url_adapter is None


def test_application_context_is_on_top_from_push_to_pop(app: App) -> None:
    context = app.app_context()
    context.push()
    assert tops() == (None, context)
    context.pop()
    assert tops() == NOTHING


def test_with_gives_the_application_context_itself(app: App) -> None:
    context = app.app_context()
    with context as entered:
        assert entered is context


def test_teardown_runs_when_the_application_context_goes(app: App) -> None:
    with app.app_context():
        assert app.torn == []
    assert app.torn == [("app", None)]


def test_application_context_is_there_while_it_is_torn_down(app: App) -> None:
    seen = []
    app.teardown_appcontext(lambda error: seen.append(current_app._get_current_object()))
    with app.app_context():
        pass
    assert seen == [app]


def test_application_context_pushed_twice_is_torn_down_when_it_goes_for_good(app: App) -> None:
    context = app.app_context()
    with context:
        with context:
            g.user = "ada"
        assert (app.torn, g.user) == ([], "ada")
    assert app.torn == [("app", None)]


def test_application_context_that_was_not_pushed_by_itself_is_torn_down_too(app: App) -> None:
    context = app.app_context()
    _app_ctx_stack.push(context)
    context.pop()
    assert app.torn == [("app", None)]


def test_application_context_can_be_used_again(app: App) -> None:
    context = app.app_context()
    for _ in range(2):
        with context:
            pass
    assert app.torn == [("app", None)] * 2


def test_error_that_leaves_the_block_reaches_teardown_and_goes_on(app: App, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), app.app_context():
        raise error
    assert app.torn == [("app", error)]


def test_error_being_handled_reaches_the_teardown_of_an_application_context(app: App, error: Exception) -> None:
    context = app.app_context()
    context.push()
    try:
        raise error
    except ValueError:
        context.pop()
    assert app.torn == [("app", error)]


def test_error_being_handled_is_none_of_a_blocks_business(app: App, error: Exception) -> None:
    try:
        raise error
    except ValueError:
        with app.app_context():
            pass
    assert app.torn == [("app", None)]


def test_error_given_to_pop_reaches_the_teardown_of_an_application_context(app: App, error: Exception) -> None:
    context = app.app_context()
    context.push()
    context.pop(error)
    assert app.torn == [("app", error)]


def test_failing_teardown_function_does_not_keep_the_application_context(app: App) -> None:
    app.teardown_appcontext(fail)
    with pytest.raises(ZeroDivisionError), app.app_context():
        pass
    assert tops() == NOTHING


def test_application_context_below_another_is_not_popped_and_nothing_changes(app: App) -> None:
    below, above = app.app_context(), app.app_context()
    with below, above:
        with pytest.raises(AssertionError, match="wrong context"):
            below.pop()
        assert (tops(), app.torn) == ((None, above), [])
    assert app.torn == [("app", None)] * 2


def test_application_context_that_was_not_pushed_is_not_popped(app: App) -> None:
    with pytest.raises(AssertionError, match="empty"):
        app.app_context().pop()
    assert app.torn == []


def test_application_context_is_popped_where_it_was_pushed(app: App) -> None:
    with app.app_context() as context:
        with pytest.raises(AssertionError, match="empty"):
            in_thread(context.pop)
        assert (tops(), app.torn) == ((None, context), [])


def test_application_context_left_by_a_teardown_function_is_told_and_goes_too(app: App) -> None:
    app.teardown_appcontext(lambda error: App("left").app_context().push())
    with pytest.raises(AssertionError, match="was not popped"), app.app_context():
        pass
    assert tops() == NOTHING


def test_application_context_that_a_teardown_function_took_off_is_not_looked_for(app: App) -> None:
    app.teardown_appcontext(lambda error: _app_ctx_stack.pop())
    with App("below").app_context() as below:
        with app.app_context():
            pass
        assert tops() == (None, below)


def test_application_context_left_in_a_block_is_told_and_goes_with_the_one_of_the_block(app: App) -> None:
    with App("below").app_context() as below:
        with pytest.raises(AssertionError, match="was not popped"), app.app_context():
            App("left").app_context().push()
        assert (tops(), app.torn) == ((None, below), [("app", None)])


def test_application_context_taken_off_in_its_block_is_told_and_torn_down(app: App) -> None:
    with App("below").app_context() as below:
        with pytest.raises(AssertionError, match="taken off"), app.app_context():
            _app_ctx_stack.pop()
        assert (tops(), app.torn) == ((None, below), [("app", None)])


def fail_after(act: Any, error: Exception) -> None:
    act()
    raise error


def test_error_on_its_way_out_of_a_block_is_told_and_not_what_was_left(app: App, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), app.app_context():
        fail_after(App("left").app_context().push, error)
    assert (tops(), app.torn) == (NOTHING, [("app", error)])


def test_error_on_its_way_out_of_a_block_is_the_cause_where_something_was_taken_off(app: App, error: Exception) -> None:
    with pytest.raises(AssertionError, match="taken off") as told, app.app_context():
        fail_after(_app_ctx_stack.pop, error)
    assert (told.value.__cause__, tops(), app.torn) == (error, NOTHING, [("app", error)])


def test_block_around_another_greenlets_application_context_takes_nothing(app: App) -> None:
    with app.app_context() as context:
        with pytest.raises(AssertionError, match="wrong context"):
            in_thread(lambda: context.__exit__(None, None, None))
        assert (tops(), app.torn) == ((None, context), [])


def test_block_around_an_application_context_popped_in_it_ends_nothing_twice(app: App) -> None:
    with pytest.raises(AssertionError, match="wrong context"), app.app_context() as context:
        context.pop()
    assert (tops(), app.torn) == (NOTHING, [("app", None)])


def test_failed_assertion_of_a_teardown_function_is_told_as_it_is(app: App) -> None:
    failed: list[Any] = []

    @app.teardown_appcontext
    def fail(error: Any) -> None:
        failed.append(error)
        raise AssertionError("not as it should be")

    with App("below").app_context() as below:
        with pytest.raises(AssertionError, match="not as it should be"), app.app_context():
            pass
        assert (tops(), failed) == ((None, below), [None])


# --- Its signals


def test_appcontext_pushed_tells_of_a_context_that_is_there(app: App, told: Any) -> None:
    heard = told(signals.appcontext_pushed)
    with app.app_context() as context:
        assert heard == [(None, context, {})]


def test_appcontext_popped_tells_of_a_context_that_is_gone(app: App, told: Any) -> None:
    heard = told(signals.appcontext_popped)
    with app.app_context():
        assert heard == []
    assert heard == [(None, None, {})]


def test_appcontext_tearing_down_tells_of_the_error(app: App, told: Any, error: Exception) -> None:
    heard = told(signals.appcontext_tearing_down)
    with pytest.raises(ValueError, match="an error"), app.app_context() as context:
        raise error
    assert heard == [(None, context, {"exc": error})]


def test_pushing_and_popping_again_is_told_each_time_and_teardown_once(app: App, told: Any) -> None:
    pushed, popped = told(signals.appcontext_pushed), told(signals.appcontext_popped)
    with app.app_context() as context, context:
        pass
    assert (len(pushed), len(popped), app.torn) == (2, 2, [("app", None)])


@pytest.mark.parametrize("push", [lambda app: app.app_context().push(), lambda app: app.test_request_context().push()])
def test_failing_receiver_of_appcontext_pushed_leaves_no_context(app: App, push: Any) -> None:
    pytest.importorskip("blinker")
    with signals.appcontext_pushed.connected_to(fail), pytest.raises(ZeroDivisionError):
        push(app)
    assert tops() == NOTHING


def test_failing_receiver_that_pushed_another_context_leaves_neither(app: App) -> None:
    pytest.importorskip("blinker")

    def push_another(sender: Flask) -> None:
        if sender is app:
            Flask("other").app_context().push()
            fail(sender)

    with signals.appcontext_pushed.connected_to(push_another), pytest.raises(ZeroDivisionError):
        app.app_context().push()
    assert tops() == NOTHING


def test_application_context_whose_push_failed_can_be_pushed_again(app: App) -> None:
    pytest.importorskip("blinker")
    context = app.app_context()
    with signals.appcontext_pushed.connected_to(fail), pytest.raises(ZeroDivisionError):
        context.push()
    with context, context:
        pass
    assert app.torn == [("app", None)]


@pytest.mark.parametrize("context", [Flask.app_context, Flask.test_request_context])
def test_failing_receiver_of_appcontext_popped_keeps_no_context(app: App, context: Any) -> None:
    pytest.importorskip("blinker")
    with signals.appcontext_popped.connected_to(fail), pytest.raises(ZeroDivisionError), context(app):
        pass
    assert tops() == NOTHING


# --- What a request context holds


def test_request_context_holds_its_application_and_request(app: App) -> None:
    context = app.test_request_context("/page")
    assert context.app is app
    assert type(context.request) is Request
    assert context.request.path == "/page"
    assert (context.flashes, context.preserved) == (None, False)


def test_one_request_context_carries_all_that_the_globals_stand_for(app: App) -> None:
    app.add_url_rule("/page", "page")
    with app.test_request_context() as context:
        carried = (context.app, context.g, context.request, context.session)
        assert carried == tuple(proxy._get_current_object() for proxy in (current_app, g, request, session))  # type: ignore[attr-defined]
        assert context.url_adapter.build("page") == "/page"  # type: ignore[union-attr]


def test_request_is_of_the_class_that_the_application_names(app: App) -> None:
    class Mine(Request):
        pass

    app.request_class = Mine
    assert type(app.test_request_context().request) is Mine


def test_request_and_session_may_be_given(app: App) -> None:
    given_request, given_session = app.test_request_context("/given").request, SecureCookieSession()
    context = RequestContext(app, app.test_request_context().request.environ, given_request, given_session)
    assert context.request is given_request
    assert context.session is given_session


def test_given_session_is_not_opened_anew(app: App) -> None:
    given = SecureCookieSession()
    environ = app.test_request_context().request.environ
    with RequestContext(app, environ, session=given):
        assert session._get_current_object() is given


def test_session_is_opened_when_the_context_is_pushed_and_not_before(app: App) -> None:
    context = app.test_request_context()
    assert context.session is None
    with context:
        assert type(context.session) is SecureCookieSession


def test_session_is_opened_once(app: App) -> None:
    with app.test_request_context() as context:
        session["user"] = "ada"
        with context:
            assert session["user"] == "ada"


def test_session_is_a_null_session_where_there_is_none_to_open(app: App) -> None:
    app.secret_key = None
    with app.test_request_context() as context:
        assert type(context.session) is NullSession


def test_repr_of_a_request_context_tells_url_method_and_application(app: App) -> None:
    context = app.test_request_context("/page?n=1", method="POST")
    assert repr(context) == "<RequestContext 'http://localhost/page?n=1' [POST] of contexts>"


# --- Matching


def test_matching_finds_the_rule_and_its_values(app: App) -> None:
    app.add_url_rule("/user/<int:number>", "user")
    with app.test_request_context("/user/7"):
        assert (request.endpoint, request.view_args, request.routing_exception) == ("user", {"number": 7}, None)


@pytest.mark.parametrize(
    ("path", "method", "error"),
    [("/absent", "GET", NotFound), ("/page/", "POST", MethodNotAllowed), ("/page", "GET", RequestRedirect)],
)
def test_matching_nothing_is_remembered_and_not_raised(app: App, path: str, method: str, error: Any) -> None:
    app.add_url_rule("/page/", "page", methods=["GET"])
    with app.test_request_context(path, method=method):
        assert type(request.routing_exception) is error
        assert (request.url_rule, request.view_args) == (None, None)


def test_request_is_not_matched_before_the_context_is_pushed(app: App) -> None:
    app.add_url_rule("/page", "page")
    context = app.test_request_context("/page")
    assert context.request.url_rule is None
    context.match_request()
    assert context.request.endpoint == "page"


def test_converter_can_use_the_session(app: App) -> None:
    class Visited(BaseConverter):
        def to_python(self, value: str) -> bool:
            return value in session

    app.url_map.converters["visited"] = Visited
    app.add_url_rule("/<visited:seen>", "page")
    environ = app.test_request_context("/home").request.environ
    with RequestContext(app, environ, session=SecureCookieSession({"home": 1})):
        assert request.view_args == {"seen": True}


def test_unusable_address_is_remembered_and_not_raised() -> None:
    class Strict(App):
        def create_url_adapter(self, request: Request | None) -> Any:
            if request is not None:
                raise BadRequest("no such host")

    with Strict().test_request_context() as context:
        assert type(request.routing_exception) is BadRequest
        assert context.url_adapter is None


# --- Pushing


def test_request_context_brings_an_application_context(app: App) -> None:
    context = app.test_request_context()
    context.push()
    assert (_request_ctx_stack.top, type(_app_ctx_stack.top), current_app) == (context, AppContext, app)
    context.pop()
    assert tops() == NOTHING


def test_request_context_uses_the_application_context_that_is_there(app: App) -> None:
    with app.app_context() as below:
        with app.test_request_context():
            assert _app_ctx_stack.top is below
        assert tops() == (None, below)
        assert app.torn == [("request", None)]


def test_request_context_on_top_of_another_applications_brings_its_own(app: App) -> None:
    with App("other").app_context() as below:
        with app.test_request_context():
            assert current_app == app
        assert tops() == (None, below)


def test_applications_that_are_equal_have_contexts_of_their_own() -> None:
    class Equal(App):
        def __eq__(self, other: object) -> bool:
            return True

    first, second = Equal(), Equal()
    with first.app_context(), second.test_request_context():
        assert current_app._get_current_object() is second


def test_request_context_looks_at_the_application_context_on_top_alone(app: App) -> None:
    with app.app_context() as lowest, App("other").app_context(), app.test_request_context():
        assert current_app == app
        assert _app_ctx_stack.top is not lowest


def test_nested_request_contexts_of_one_application_share_g(app: App) -> None:
    with app.test_request_context("/outer"):
        with app.test_request_context("/inner"):
            g.user = "ada"
            assert request.path == "/inner"
        assert (request.path, g.user) == ("/outer", "ada")


def test_request_context_pushed_twice_is_torn_down_when_it_goes_for_good(app: App) -> None:
    context = app.test_request_context()
    with context:
        with context:
            pass
        assert (_request_ctx_stack.top, app.torn) == (context, [])
    assert app.torn == [("request", None), ("app", None)]


def test_with_gives_the_request_context_itself(app: App) -> None:
    context = app.test_request_context()
    with context as entered:
        assert entered is context


class Broken(SessionInterface):
    def open_session(self, app: Flask, request: Request) -> Any:
        raise ZeroDivisionError("the store is broken")


def test_block_that_could_not_be_entered_leaves_no_context(app: App) -> None:
    app.session_interface = Broken()
    with pytest.raises(ZeroDivisionError), app.test_request_context():
        pass
    assert tops() == NOTHING
    assert [(kind, type(error)) for kind, error in app.torn] == [
        ("request", ZeroDivisionError),
        ("app", ZeroDivisionError),
    ]


def test_push_by_hand_that_failed_leaves_the_context_to_be_popped(app: App) -> None:
    app.session_interface = Broken()
    context = app.test_request_context()
    with pytest.raises(ZeroDivisionError):
        context.push()
    assert _request_ctx_stack.top is context
    context.pop(None)
    assert tops() == NOTHING


def test_block_that_could_not_be_entered_pops_nothing_of_others(app: App) -> None:
    pytest.importorskip("blinker")
    with App("other").test_request_context() as other:
        with signals.appcontext_pushed.connected_to(fail), pytest.raises(ZeroDivisionError), app.test_request_context():
            pass
        assert _request_ctx_stack.top is other


# --- g through the request context


def test_g_of_a_request_context_is_that_of_the_application_context(app: App) -> None:
    with app.test_request_context() as context:
        g.user = "ada"
        assert context.g is g._get_current_object()


def test_g_can_be_set_through_the_request_context(app: App) -> None:
    with app.test_request_context() as context:
        mine = context.g = _AppCtxGlobals()
        assert g._get_current_object() is mine


@pytest.mark.parametrize("use", [lambda context: context.g, lambda context: setattr(context, "g", None)])
def test_request_context_has_no_g_outside_an_application_context(app: App, use: Any) -> None:
    with pytest.raises(AttributeError, match="no g"):
        use(app.test_request_context())


# --- Popping


def test_request_is_torn_down_before_its_application_context_with_both_there(app: App) -> None:
    seen = []
    app.teardown_request(lambda error: seen.append((has_request_context(), has_app_context())))
    app.teardown_appcontext(lambda error: seen.append((has_request_context(), has_app_context())))
    with app.test_request_context():
        pass
    assert seen == [(True, True), (False, True)]
    assert app.torn == [("request", None), ("app", None)]


def test_error_that_leaves_the_block_reaches_both_teardowns(app: App, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), app.test_request_context():
        raise error
    assert app.torn == [("request", error), ("app", error)]


def test_error_being_handled_reaches_both_teardowns(app: App, error: Exception) -> None:
    context = app.test_request_context()
    context.push()
    try:
        raise error
    except ValueError:
        context.pop()
    assert app.torn == [("request", error), ("app", error)]


def test_error_given_to_pop_reaches_both_teardowns(app: App, error: Exception) -> None:
    context = app.test_request_context()
    context.push()
    context.pop(error)
    assert app.torn == [("request", error), ("app", error)]


@pytest.mark.parametrize("make", [Flask.app_context, Flask.test_request_context])
def test_error_that_is_equal_to_anything_reaches_teardown(app: App, make: Any) -> None:
    class Equal(Exception):
        def __eq__(self, other: object) -> bool:
            return True

    context, error = make(app), Equal()
    context.push()
    context.pop(error)
    assert {id(torn) for _, torn in app.torn} == {id(error)}


def test_none_given_to_pop_is_no_error_also_while_one_is_handled(app: App, error: Exception) -> None:
    context = app.test_request_context()
    context.push()
    try:
        raise error
    except ValueError:
        context.pop(None)
    assert app.torn == [("request", None), ("app", None)]


def test_overridden_teardowns_are_given_the_error_being_handled(error: Exception) -> None:
    class Own(Flask):
        torn: list[Any] = []

        def do_teardown_request(self, exc: Any = None) -> None:
            self.torn.append(exc)

        do_teardown_appcontext = do_teardown_request

    context, app_context = Own("own").test_request_context(), Own("own").app_context()
    app_context.push()
    context.push()
    try:
        raise error
    except ValueError:
        context.pop()
        app_context.pop()
    assert Own.torn == [error] * 3


def test_request_tearing_down_tells_of_the_error_while_both_are_there(app: App, told: Any, error: Exception) -> None:
    heard = told(signals.request_tearing_down)
    context = app.test_request_context()
    context.push()
    app_context = _app_ctx_stack.top
    context.pop(error)
    assert heard == [(context, app_context, {"exc": error})]


def test_request_is_closed_when_its_context_goes_for_good(app: App) -> None:
    class Closing(Request):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    app.request_class = Closing
    with app.test_request_context() as context:
        with context:
            pass
        assert context.request.closed == 0
    assert context.request.closed == 1


def test_uploaded_file_is_closed_with_its_request(app: App) -> None:
    with app.test_request_context(method="POST", data={"file": (io.BytesIO(b"content"), "name")}):
        stream = request.files["file"].stream
        assert not stream.closed
    assert stream.closed


def test_request_that_cannot_be_closed_is_no_trouble(app: App) -> None:
    class Bare(Request):
        close = None

    app.request_class = Bare
    with app.test_request_context():
        pass
    assert tops() == NOTHING


def test_environ_does_not_keep_the_request_when_its_context_is_gone(app: App) -> None:
    with app.test_request_context() as context:
        context.request.environ["werkzeug.request"] = context.request
        with context:
            pass
        assert context.request.environ["werkzeug.request"] is context.request
    assert context.request.environ["werkzeug.request"] is None


def test_failing_teardown_function_does_not_keep_the_contexts_and_the_application_is_torn_down(app: App) -> None:
    app.teardown_request(fail)
    with pytest.raises(ZeroDivisionError), app.test_request_context():
        pass
    assert tops() == NOTHING
    assert app.torn == [("app", None)]


def test_failing_close_does_not_keep_the_contexts(app: App) -> None:
    class Failing(Request):
        close = fail

    app.request_class = Failing
    with pytest.raises(ZeroDivisionError), app.test_request_context():
        pass
    assert tops() == NOTHING


def test_request_context_that_was_not_pushed_is_not_popped(app: App) -> None:
    with pytest.raises(IndexError, match="not pushed"):
        app.test_request_context().pop()
    assert app.torn == []


def test_request_context_is_not_popped_more_often_than_it_was_pushed(app: App) -> None:
    with app.test_request_context() as outer:
        context = app.test_request_context()
        with context:
            pass
        with pytest.raises(IndexError, match="not pushed"):
            context.pop()
        assert _request_ctx_stack.top is outer


def test_request_context_below_another_is_not_popped_and_nothing_changes(app: App) -> None:
    below, above = app.test_request_context("/below"), app.test_request_context("/above")
    with below, above:
        with pytest.raises(AssertionError, match=r"wrong context: .*/below.*on top is .*/above"):
            below.pop()
        assert (_request_ctx_stack.top, app.torn) == (above, [])
    assert app.torn == [("request", None), ("request", None), ("app", None)]


def test_request_context_below_an_application_context_is_not_popped_and_nothing_changes(app: App) -> None:
    with app.test_request_context() as below, App("other").app_context() as above:
        with pytest.raises(AssertionError, match="wrong context"):
            below.pop()
        assert (tops(), app.torn) == ((below, above), [])


def test_request_context_is_popped_where_it_was_pushed(app: App) -> None:
    with app.test_request_context() as context:
        with pytest.raises(AssertionError, match="empty"):
            in_thread(context.pop)
        assert (_request_ctx_stack.top, app.torn) == (context, [])


def test_request_context_is_not_looked_for_among_those_of_another_thread(app: App) -> None:
    def work() -> None:
        with App("other").test_request_context() as other:
            with pytest.raises(AssertionError, match="wrong context"):
                context.auto_pop(None)
            assert _request_ctx_stack.top is other

    with app.test_request_context() as context:
        in_thread(work)
        assert (_request_ctx_stack.top, app.torn) == (context, [])


def test_end_of_the_work_is_where_it_began(app: App) -> None:
    with app.test_request_context() as context:
        with pytest.raises(AssertionError, match="empty"):
            in_thread(lambda: context.auto_pop(None))
        assert (_request_ctx_stack.top, app.torn) == (context, [])


def test_work_that_did_not_begin_does_not_end(app: App) -> None:
    with pytest.raises(IndexError, match="not pushed"):
        app.test_request_context().auto_pop(None)
    assert app.torn == []


# --- Contexts that somebody left on the stack


def leave(what: Any) -> Any:
    return lambda *arguments: what(App("left")).push()


@pytest.mark.parametrize("what", [Flask.app_context, Flask.test_request_context])
def test_context_left_by_a_teardown_function_is_told_and_goes_too(app: App, what: Any) -> None:
    app.teardown_request(leave(what))
    with pytest.raises(AssertionError, match="was not popped"), app.test_request_context():
        pass
    assert tops() == NOTHING
    assert app.torn == [("request", None), ("app", None)]


@pytest.mark.parametrize("what", [Flask.app_context, Flask.test_request_context])
def test_context_left_in_a_block_is_told_and_goes_too(app: App, what: Any) -> None:
    with pytest.raises(AssertionError, match="was not popped"), app.test_request_context():
        leave(what)()
    assert tops() == NOTHING
    assert app.torn == [("request", None), ("app", None)]


def test_what_was_left_above_a_context_pushed_twice_goes_and_what_lies_between_stays(app: App) -> None:
    with app.test_request_context() as context, App("between").app_context():
        context.push()
        leave(Flask.app_context)()
        with pytest.raises(AssertionError, match="was not popped"):
            context.auto_pop(None)
        assert current_app.name == "between"
    assert tops() == NOTHING


def test_what_is_no_context_goes_from_above_one_too(app: App) -> None:
    with pytest.raises(AssertionError, match=r"\[None\] came to be pushed"), app.test_request_context():
        _request_ctx_stack.push(None)  # type: ignore[arg-type]
    assert _request_ctx_stack._local.__storage__ == {}


def test_context_left_by_an_error_goes_too_and_only_the_error_is_told(app: App, error: Exception) -> None:
    context = app.test_request_context()
    context.push()
    leave(Flask.test_request_context)()
    context.auto_pop(error)
    assert tops() == NOTHING
    assert app.torn == [("request", error), ("app", error)]


def test_contexts_below_stay_when_one_above_was_left(app: App) -> None:
    with App("below").test_request_context() as below:
        with pytest.raises(AssertionError, match="was not popped"), app.test_request_context():
            leave(Flask.test_request_context)()
        assert (_request_ctx_stack.top, current_app.name) == (below, "below")


# --- Contexts that somebody took off the stack

TAKING = {
    "request context popped": _request_ctx_stack.pop,
    "application context popped": _app_ctx_stack.pop,
    "both popped": lambda: (_request_ctx_stack.pop(), _app_ctx_stack.pop()),
    "request context released": lambda: release_local(_request_ctx_stack),
    "application context released": lambda: release_local(_app_ctx_stack),
    "application context popped too early": lambda: _app_ctx_stack.top.pop(),  # type: ignore[union-attr]
}


@pytest.mark.parametrize("take", TAKING.values(), ids=TAKING)
def test_what_was_taken_off_during_a_request_is_told_and_ends_with_it(app: App, take: Any) -> None:
    @app.after_request
    def misuse(response: Response) -> Response:
        g.user = "ada"
        take()
        return response

    with pytest.raises(AssertionError, match="taken off the stack while it was in use"):
        app.test_client().get("/")
    assert tops() == NOTHING
    assert sorted(name for name, _ in app.torn) == ["app", "request"]


def test_application_context_need_not_be_ours() -> None:
    app = PlainApp()
    with app.test_request_context("/"):
        assert (type(_app_ctx_stack.top), current_app._get_current_object()) == (Plain, app)  # type: ignore[attr-defined]
    assert app.torn == [("request", None), ("app", None)]


def test_application_context_that_is_not_ours_ends_where_a_view_took_it_off() -> None:
    app = PlainApp()
    with pytest.raises(AssertionError, match="taken off"), app.test_request_context("/"):
        _app_ctx_stack.pop()
    assert app.torn == [("request", None), ("app", None)]


def test_application_context_that_is_not_ours_ends_where_a_teardown_function_took_it_off() -> None:
    app = PlainApp()
    app.teardown_request(lambda error: _app_ctx_stack.pop())
    with pytest.raises(AssertionError, match="taken off"), app.test_request_context("/"):
        pass
    assert app.torn == [("request", None), ("app", None)]


@pytest.mark.parametrize("take", TAKING.values(), ids=TAKING)
def test_what_was_taken_off_in_a_block_is_told_and_ends_with_it(app: App, take: Any) -> None:
    with pytest.raises(AssertionError, match="taken off the stack while it was in use"), app.test_request_context():
        take()
    assert tops() == NOTHING
    assert sorted(app.torn) == [("app", None), ("request", None)]


@pytest.mark.parametrize("take", TAKING.values(), ids=TAKING)
def test_error_is_the_cause_of_what_is_told_where_something_was_taken_off(
    app: App, take: Any, error: Exception
) -> None:
    with pytest.raises(AssertionError, match="taken off") as told, app.test_request_context():
        fail_after(take, error)
    assert (told.value.__cause__, tops()) == (error, NOTHING)


@pytest.mark.parametrize("take", [_app_ctx_stack.pop, lambda: _app_ctx_stack.top.pop()])  # type: ignore[union-attr]
def test_what_was_taken_off_is_what_came_with_the_last_push(app: App, take: Any) -> None:
    with app.app_context(), app.test_request_context() as context, App("between").app_context():
        context.push()
        take()
        with pytest.raises(AssertionError, match="taken off"):
            context.auto_pop(None)
        assert (current_app.name, _request_ctx_stack.top) == ("between", context)
    assert tops() == NOTHING


def test_context_that_a_teardown_function_took_off_is_told_and_ends_all_the_same(app: App) -> None:
    app.teardown_request(lambda error: _app_ctx_stack.pop())
    with pytest.raises(AssertionError, match="taken off"), app.test_request_context():
        pass
    assert (tops(), app.torn) == (NOTHING, [("request", None), ("app", None)])


def test_application_context_that_a_teardown_function_popped_is_not_popped_again(app: App) -> None:
    app.teardown_request(lambda error: _app_ctx_stack.top.pop())  # type: ignore[union-attr]
    with pytest.raises(AssertionError, match="wrong context"), app.test_request_context():
        pass
    assert (tops(), app.torn) == (NOTHING, [("app", None), ("request", None)])


@pytest.mark.parametrize("take", [_app_ctx_stack.pop, lambda: _app_ctx_stack.top.pop()])  # type: ignore[union-attr]
def test_preserved_context_whose_application_context_was_taken_off_goes_when_the_next_comes(
    app: App, preserving: RequestContext, take: Any
) -> None:
    with preserving:
        pass
    take()
    assert app.test_client().get("/").status_code == 404
    assert (tops(), [name for name, _ in app.torn].count("app")) == (NOTHING, 2)


# --- Contexts that a stream keeps


def test_context_that_a_stream_keeps_stays_above_one_that_goes(app: App) -> None:
    other = App("other")
    with app.test_request_context():
        with other.test_request_context("/streamed"):
            stream = stream_with_context(iter([1, 2]))
        assert (request.path, other.torn) == ("/streamed", [])
    assert app.torn == [("request", None), ("app", None)]
    assert (request.path, current_app.name) == ("/streamed", "other")
    assert list(stream) == [1, 2]
    assert other.torn == [("request", None), ("app", None)]
    assert tops() == NOTHING


def test_contexts_that_streams_keep_stay_in_their_order(app: App) -> None:
    with app.test_request_context():
        streams = []
        for path in ("/first", "/second"):
            with App(path).test_request_context(path):
                streams.append(stream_with_context(iter([])))
    seen = []
    for stream in reversed(streams):
        seen.append((request.path, current_app.name))
        stream.close()  # type: ignore[attr-defined]
    assert seen == [("/second", "/second"), ("/first", "/first")]
    assert tops() == NOTHING


def test_context_left_among_those_that_streams_keep_goes_alone(app: App) -> None:
    outer = app.test_request_context()
    outer.push()
    with App("other").test_request_context("/streamed"):
        stream = stream_with_context(iter([1]))
    leave(Flask.test_request_context)()
    with pytest.raises(AssertionError, match=r"\[<RequestContext [^,]* of left>, <[^,]*AppContext [^,]*>\]"):
        outer.auto_pop(None)
    assert (request.path, current_app.name) == ("/streamed", "other")
    assert list(stream) == [1]
    assert tops() == NOTHING


# --- Preserving


@pytest.fixture
def preserving(app: App) -> RequestContext:
    """A request context of a test client in a with block."""
    return app.test_request_context("/kept", environ_base={"flask._preserve_context": True})


def test_context_is_preserved_for_a_client_in_a_block(app: App, preserving: RequestContext) -> None:
    with preserving:
        pass
    assert (preserving.preserved, request.path, app.torn) == (True, "/kept", [])
    preserving.pop()
    assert (preserving.preserved, app.torn) == (False, [("request", None), ("app", None)])


def test_context_left_above_one_to_preserve_is_told_and_goes(app: App, preserving: RequestContext) -> None:
    preserving.push()
    leave(Flask.test_request_context)()
    with pytest.raises(AssertionError, match="was not popped"):
        preserving.auto_pop(None)
    assert (_request_ctx_stack.top, current_app.name, preserving.preserved) == (preserving, "contexts", True)
    preserving.pop()


def test_application_context_left_above_one_to_preserve_is_preserved_with_it(
    app: App, preserving: RequestContext
) -> None:
    preserving.push()
    leave(Flask.app_context)()
    preserving.auto_pop(None)
    assert (_request_ctx_stack.top, preserving.preserved, current_app.name) == (preserving, True, "left")
    _app_ctx_stack.pop()
    preserving.pop()


def test_application_context_left_above_a_preserved_context_does_not_stop_what_comes_next(
    app: App, preserving: RequestContext
) -> None:
    preserving.push()
    leave(Flask.app_context)()
    preserving.auto_pop(None)
    left = _app_ctx_stack.top
    assert app.test_client().get("/").status_code == 404
    assert (tops(), app.torn[:2]) == ((None, left), [("request", None), ("app", None)])
    _app_ctx_stack.pop()


def test_application_context_in_use_stays_when_a_preserved_context_below_goes(
    app: App, preserving: RequestContext
) -> None:
    with preserving:
        pass
    with app.app_context() as in_use:
        with app.test_request_context():
            assert _app_ctx_stack.top is in_use
        assert _app_ctx_stack.top is in_use
    assert tops() == NOTHING


def test_application_context_in_use_stays_though_a_preserved_context_below_fails_to_go(
    app: App, preserving: RequestContext, error: Exception
) -> None:
    with preserving:
        pass

    @app.teardown_request
    def fail(given: BaseException | None) -> None:
        app.teardown_request_funcs[None].remove(fail)
        raise error

    with app.app_context() as in_use:
        with pytest.raises(ValueError, match="an error"):
            app.test_request_context().push()
        assert tops() == (None, in_use)
    assert tops() == NOTHING


def test_context_to_preserve_stays_where_it_is_whoever_says_so(app: App, preserving: RequestContext) -> None:
    preserving.push()
    in_thread(lambda: preserving.auto_pop(None))
    assert (_request_ctx_stack.top, preserving.preserved, app.torn) == (preserving, True, [])
    preserving.pop()


def test_context_is_preserved_after_an_error_if_configured(app: App, error: Exception) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    context = app.test_request_context()
    with pytest.raises(ValueError, match="an error"), context:
        raise error
    assert (_request_ctx_stack.top, context.preserved, app.torn) == (context, True, [])
    context.pop(None)


@pytest.mark.parametrize(("setting", "failing"), [(True, False), (False, True), (None, True)])
def test_context_is_not_preserved_otherwise(app: App, setting: bool | None, failing: bool, error: Exception) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = setting
    context = app.test_request_context()
    context.push()
    context.auto_pop(error if failing else None)
    assert (tops(), context.preserved) == (NOTHING, False)


def test_preserved_context_goes_when_the_next_is_pushed(app: App, preserving: RequestContext) -> None:
    with preserving:
        pass
    with app.test_request_context() as following:
        assert app.torn == [("request", None), ("app", None)]
        assert (preserving.preserved, _request_ctx_stack.top) == (False, following)
    assert tops() == NOTHING


def test_preserved_context_is_torn_down_with_the_error_it_remembers(
    app: App, preserving: RequestContext, error: Exception
) -> None:
    with pytest.raises(ValueError, match="an error"), preserving:
        raise error
    with app.test_request_context():
        assert app.torn == [("request", error), ("app", error)]


def test_context_that_went_remembers_no_error(app: App, preserving: RequestContext, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), preserving:
        raise error
    preserving.pop(None)
    assert preserving._preserved_exc is None


def test_preserved_context_pushed_again_goes_first(app: App, preserving: RequestContext) -> None:
    with preserving:
        pass
    preserving.push()
    assert (app.torn, preserving.preserved) == ([("request", None), ("app", None)], False)
    preserving.pop()


def test_context_that_is_not_preserved_stays_below_the_next(app: App) -> None:
    with app.test_request_context() as below, app.test_request_context():
        assert app.torn == []
        assert _request_ctx_stack.top is not below


def test_preserved_context_stays_when_another_thread_pushes_one(app: App, preserving: RequestContext) -> None:
    def work() -> None:
        with App("other").test_request_context():
            pass

    with preserving:
        pass
    in_thread(work)
    assert (preserving.preserved, app.torn) == (True, [])
    preserving.pop()


def test_preserved_context_inside_a_block_goes_with_the_block(
    app: App, preserving: RequestContext, error: Exception
) -> None:
    with app.test_request_context():
        with pytest.raises(ValueError, match="an error"), preserving:
            raise error
        assert app.torn == []
    assert tops() == NOTHING
    assert app.torn == [("request", error), ("request", None), ("app", None)]


def test_two_contexts_preserved_one_above_the_other_stay_and_go_one_by_one(
    app: App, preserving: RequestContext, error: Exception
) -> None:
    outer = app.test_request_context("/outer", environ_base={"flask._preserve_context": True})
    outer.push()
    with preserving:
        pass
    outer.auto_pop(error)
    assert (_request_ctx_stack.top, outer.preserved, preserving.preserved, app.torn) == (preserving, True, True, [])
    with app.test_request_context():
        assert app.torn == [("request", None)]
    with app.test_request_context():
        assert app.torn[2:] == [("request", error), ("app", error)]


# --- Copies


def test_copy_has_the_same_request_and_session_and_is_another_context(app: App) -> None:
    with app.test_request_context() as context:
        copied = context.copy()
    assert copied is not context
    assert (copied.app, copied.request, copied.session) == (app, context.request, context.session)
    assert copied.session is context.session


def test_copy_is_of_the_class_of_the_original(app: App) -> None:
    class Mine(RequestContext):
        pass

    assert type(Mine(app, app.test_request_context().request.environ).copy()) is Mine


def test_copy_has_flashes_and_functions_of_its_own(app: App) -> None:
    with app.test_request_context() as context:
        context.flashes = [("message", "hello")]
        after_this_request(lambda response: response)
        copied = context.copy()
    assert (copied.flashes, copied._after_request_functions) == (None, [])


# --- copy_current_request_context


@pytest.mark.parametrize("elsewhere", [in_thread, in_greenlet])
def test_copied_context_is_there_elsewhere(app: App, elsewhere: Any) -> None:
    with app.test_request_context("/page") as context:
        session["user"] = "ada"
        work = copy_current_request_context(lambda: (request.path, session["user"], _request_ctx_stack.top))
        path, user, inside = elsewhere(work)
    assert (path, user) == ("/page", "ada")
    assert inside is not context


def test_copied_context_shares_the_session(app: App) -> None:
    with app.test_request_context():
        in_thread(copy_current_request_context(lambda: session.update(user="ada")))
        assert session["user"] == "ada"


def test_copied_context_elsewhere_has_a_new_g(app: App) -> None:
    with app.test_request_context():
        g.user = "ada"
        assert in_thread(copy_current_request_context(lambda: "user" in g)) is False


def test_copied_context_in_the_same_place_has_the_same_g(app: App) -> None:
    with app.test_request_context():
        g.user = "ada"
        assert copy_current_request_context(lambda: g.user)() == "ada"


def test_function_in_a_copied_context_is_called_with_what_it_is_given(app: App) -> None:
    with app.test_request_context():
        assert copy_current_request_context(lambda *args, **kwargs: (args, kwargs))(1, b=2) == ((1,), {"b": 2})


def test_function_in_a_copied_context_keeps_its_name(app: App) -> None:
    with app.test_request_context():

        @copy_current_request_context
        def work() -> None:
            """Work hard."""

    assert (work.__name__, work.__doc__) == ("work", "Work hard.")


def test_copied_context_is_that_of_the_time_it_was_copied(app: App) -> None:
    with app.test_request_context("/then"):
        work = copy_current_request_context(lambda: request.path)
    with app.test_request_context("/now"):
        assert work() == "/then"
        assert request.path == "/now"


def test_copied_context_outlives_the_request(app: App) -> None:
    with app.test_request_context("/gone"):
        work = copy_current_request_context(lambda: request.path)
    assert in_thread(work) == "/gone"


def test_each_call_in_a_copied_context_is_torn_down(app: App) -> None:
    with app.test_request_context():
        work = copy_current_request_context(lambda: None)
        for _ in range(2):
            in_thread(work)
        assert app.torn == [("request", None), ("app", None)] * 2


def test_error_in_a_copied_context_reaches_its_teardown_and_goes_on(app: App) -> None:
    with app.test_request_context():
        with pytest.raises(ZeroDivisionError) as caught:
            in_thread(copy_current_request_context(fail))
        assert app.torn == [("request", caught.value), ("app", caught.value)]


def test_function_in_a_copied_context_can_fail_and_be_called_again(app: App) -> None:
    with app.test_request_context():
        work = copy_current_request_context(lambda number: 1 // number)
        with pytest.raises(ZeroDivisionError):
            in_thread(lambda: work(0))
        assert in_thread(lambda: work(1)) == 1
        assert len(app.torn) == 4


def test_calls_at_once_in_a_copied_context_have_one_each(app: App) -> None:
    together = threading.Barrier(4, timeout=30)
    contexts, paths = [], []

    def work() -> None:
        contexts.append(_request_ctx_stack.top)
        together.wait()
        paths.append(request.path)
        together.wait()

    with app.test_request_context("/page"):
        copied = copy_current_request_context(work)
        threads = [threading.Thread(target=copied) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(map(id, contexts))) == 4
    assert paths == ["/page"] * 4
    assert sorted(app.torn) == [("app", None)] * 5 + [("request", None)] * 5


def test_function_in_a_copied_context_can_call_itself(app: App) -> None:
    with app.test_request_context():

        @copy_current_request_context
        def work(depth: int) -> int:
            return work(depth - 1) + 1 if depth else 0

        assert in_thread(lambda: work(3)) == 3
    assert tops() == NOTHING


def test_calls_one_after_the_other_in_a_copied_context_share_it(app: App) -> None:
    with app.test_request_context():
        work = copy_current_request_context(lambda: _request_ctx_stack.top)
        assert in_thread(work) is in_thread(work)


def test_call_in_a_copied_context_takes_over_the_one_that_is_preserved_there(app: App) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    with app.test_request_context():
        work = copy_current_request_context(lambda number: 1 // number and _request_ctx_stack.top)
    with pytest.raises(ZeroDivisionError) as caught:
        work(0)
    preserved = _request_ctx_stack.top
    assert work(1) is preserved
    assert tops() == NOTHING
    assert app.torn[2:] == [("request", caught.value), ("app", caught.value), ("request", None), ("app", None)]


def test_call_in_a_copied_context_leaves_one_alone_that_is_preserved_elsewhere(app: App) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True

    def preserve() -> None:
        with pytest.raises(ZeroDivisionError):
            work(0)
        preserved = _request_ctx_stack.top
        assert preserved is not None
        assert in_thread(lambda: work(1)) is not preserved
        assert (preserved.preserved, app.torn) == (True, [("request", None), ("app", None)])
        preserved.pop(None)
        assert in_thread(lambda: work(1)) is preserved

    with app.test_request_context():
        work = copy_current_request_context(lambda number: 1 // number and _request_ctx_stack.top)
        in_thread(preserve)


def test_context_cannot_be_copied_where_there_is_none() -> None:
    with pytest.raises(RuntimeError, match="outside of request context"):
        copy_current_request_context(lambda: None)


# --- after_this_request


def header(name: str) -> Any:
    """A function for after_this_request that adds its name to a header."""

    def add(response: Response) -> Response:
        response.headers["X-Seen"] = f"{response.headers.get('X-Seen', '')}{name}"
        return response

    return add


def test_after_this_request_sees_the_response_and_returns_the_one_to_send(app: App) -> None:
    @app.route("/")
    def view() -> str:
        after_this_request(lambda response: Response(response.get_data() + b" and more"))
        return "some"

    assert app.test_client().get("/").data == b"some and more"


def test_after_this_request_returns_the_function(app: App) -> None:
    with app.test_request_context():
        assert after_this_request(fail) is fail


def test_functions_after_this_request_run_in_order_and_before_those_after_every_request(app: App) -> None:
    @app.route("/")
    def view() -> str:
        after_this_request(header("a"))
        after_this_request(header("b"))
        return ""

    app.after_request(header("c"))
    assert app.test_client().get("/").headers["X-Seen"] == "abc"


def test_function_after_this_request_runs_for_no_other(app: App) -> None:
    @app.route("/<word>")
    def view(word: str) -> str:
        if word == "first":
            after_this_request(header("a"))
        return ""

    client = app.test_client()
    assert client.get("/first").headers["X-Seen"] == "a"
    assert "X-Seen" not in client.get("/second").headers


def test_function_after_this_request_belongs_to_the_context_on_top(app: App) -> None:
    with app.test_request_context() as outer, app.test_request_context() as inner:
        after_this_request(fail)
    assert (outer._after_request_functions, inner._after_request_functions) == ([], [fail])


def test_after_this_request_without_one_is_an_attribute_error_that_says_so(app: App) -> None:
    with app.app_context(), pytest.raises(AttributeError, match="outside of request context"):
        after_this_request(fail)
