"""The names that Flask and Werkzeug have removed since."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import NotFound
from werkzeug.utils import cached_property

from schlenk import removed
from tests.support.programs import run, under
from tests.support.requirements import needs_flask

# --- Werkzeug


@pytest.mark.parametrize(
    ("pairs", "query"),
    [
        ({"q": "a b", "n": 1}, "q=a+b&n=1"),
        ([("q", "ä"), ("q", b"/")], "q=%C3%A4&q=%2F"),
        ({"q": ["1", "2"], "none": None}, "q=1&q=2"),
    ],
)
def test_url_encode_makes_query(pairs: object, query: str) -> None:
    assert removed.url_encode(pairs) == query


def test_url_encode_can_sort() -> None:
    assert removed.url_encode({"b": 1, "a": 2}, sort=True, separator=";") == "a=2;b=1"


@pytest.mark.parametrize("query", ["q=a+b&q=%C3%A4&e=", b"q=a+b&q=%C3%A4&e="])
def test_url_decode_reads_a_query(query: str | bytes) -> None:
    assert removed.url_decode(query).to_dict(flat=False) == {"q": ["a b", "ä"], "e": [""]}


def test_url_decode_returns_given_class() -> None:
    assert removed.url_decode("q=1", cls=dict) == {"q": "1"}


def test_url_parse_has_parts() -> None:
    url = removed.url_parse("//ada@example.com:80/shelf?q=a+b&q=%C3%A4#top", scheme="http")
    assert (url.scheme, url.netloc, url.host, url.port) == ("http", "ada@example.com:80", "example.com", 80)
    assert url.decode_query().getlist("q") == ["a b", "ä"]
    assert url.replace(query="", netloc="").to_url() == "http:///shelf#top"
    assert removed.url_parse("/shelf#top", None, False).path == "/shelf#top"
    assert removed.url_parse(b"http://a/b").hostname == b"a"


def test_url_quote_keeps_safe() -> None:
    assert removed.url_quote("/a b:ä") == "/a%20b:%C3%A4"
    assert removed.url_quote("/a.b", unsafe="/.") == "%2Fa%2Eb"


def test_url_unquote_keeps_what_is_unsafe() -> None:
    assert removed.url_unquote(b"%C3%A4+%2f") == "ä+/"
    assert removed.url_unquote("%2f%20", unsafe="/") == "%2f "


@pytest.mark.parametrize("quoted", ["a+%C3%A4", b"a+%C3%A4"])
def test_url_unquote_plus_reads_spaces(quoted: str | bytes) -> None:
    assert removed.url_unquote_plus(quoted) == "a ä"


@pytest.mark.parametrize(("one", "other", "equal"), [("ä", "ä", True), (b"a", "a", True), ("a", "b", False)])
def test_safe_str_cmp_compares(one: str | bytes, other: str | bytes, equal: bool) -> None:
    assert removed.safe_str_cmp(one, other) is equal


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        ("/", [(None, None, "/")]),
        ("", []),
        ("/<int:id>/", [(None, None, "/"), ("int", None, "id"), (None, None, "/")]),
        ("<string(length=2):a>-<b>", [("string", "length=2", "a"), (None, None, "-"), ("default", None, "b")]),
        ("<int():a>", [("int", None, "a")]),
    ],
)
def test_parse_rule_splits_a_rule(rule: str, parts: list[object]) -> None:
    assert list(removed.parse_rule(rule)) == parts


@pytest.mark.parametrize(
    ("rule", "message"),
    [("/<a", "malformed"), ("/a>", "malformed"), ("/<a.b:c>", "malformed"), ("/<a>/<a>", "twice")],
)
def test_parse_rule_refuses(rule: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(removed.parse_rule(rule))


@pytest.mark.parametrize("passed", ["\xc3\xa4", b"\xc3\xa4"])
def test_wsgi_bytes_are_latin_1(passed: str | bytes) -> None:
    assert removed.wsgi_to_bytes(passed) == "ä".encode()
    assert removed.bytes_to_wsgi("ä".encode()) == "\xc3\xa4"


def test_url_decode_stream_reads_a_stream() -> None:
    assert removed.url_decode_stream(io.BytesIO(b"q=1")).to_dict() == {"q": "1"}


@pytest.mark.parametrize(("given", "expected"), [("ä", b"\xc3\xa4"), (bytearray(b"a"), b"a"), (None, None)])
def test_to_bytes_encodes_text(given: object, expected: bytes | None) -> None:
    assert removed.to_bytes(given) == expected


def test_wsgi_encoding_is_latin_1() -> None:
    assert removed.wsgi_encoding_dance("ä") == removed.wsgi_encoding_dance("ä".encode()) == "\xc3\xa4"


def test_reraise_keeps_the_error() -> None:
    error = KeyError("spoon")
    with pytest.raises(KeyError) as raised:
        removed.reraise(KeyError, error)
    assert raised.value is error


@pytest.mark.parametrize(
    ("header", "parameters"),
    [("Basic YWRhOmtleQ==", {"username": "ada", "password": "key"}), ("Bearer token", None), (None, None)],
)
def test_authorization_header_becomes_a_dict(header: str | None, parameters: object) -> None:
    assert removed.parse_authorization_header(header) == parameters


def test_set_digest_replaces_the_header() -> None:
    header = WWWAuthenticate("basic", {"realm": "shop", "charset": "utf-8"})
    removed.set_digest(header, "shelf", "1", qop=["auth", "auth-int"], algorithm="MD5", stale=True)
    parts = ['realm="shelf"', 'nonce="1"', 'qop="auth, auth-int"', "algorithm=MD5", "stale=TRUE"]
    assert header.to_header() == f"Digest {', '.join(parts)}"
    removed.set_digest(header, "shelf", "2")
    assert header.to_header() == 'Digest realm="shelf", nonce="2", qop="auth"'


def test_set_basic_replaces_the_header() -> None:
    header = WWWAuthenticate("digest", {"realm": "shelf", "nonce": "1"})
    removed.set_basic(header, "shop")
    assert header == WWWAuthenticate("basic", {"realm": "shop"})


@pytest.mark.parametrize(
    ("path", "segment", "script", "rest"),
    [
        ("/a/b", "a", "/app/a", "/b"),
        ("//\xc3\xa4", "ä", "/app//\xc3\xa4", ""),
        ("/", None, "/app", "/"),
    ],
)
def test_pop_path_info_moves_segment(path: str, segment: str | None, script: str, rest: str) -> None:
    environ = {"SCRIPT_NAME": "/app", "PATH_INFO": path}
    assert removed.peek_path_info(environ) == segment
    assert removed.pop_path_info(environ) == segment
    assert environ == {"SCRIPT_NAME": script, "PATH_INFO": rest}


def test_safe_join_stays_in_directory() -> None:
    assert removed.safe_join("shop", "a.txt") == "shop/a.txt"
    with pytest.raises(NotFound):
        removed.safe_join("shop", "../a.txt")


def test_cached_property_can_be_renewed() -> None:
    class Shelf:
        @cached_property
        def items(self) -> list[str]:
            return []

    shelf = Shelf()
    removed.invalidate_cached_property(shelf, "items")
    first = shelf.items
    removed.invalidate_cached_property(shelf, "items")
    assert shelf.items is not first


@needs_flask
def test_werkzeug_has_its_names() -> None:
    under("""
        import werkzeug
        from werkzeug.http import bytes_to_wsgi, wsgi_to_bytes
        from werkzeug.routing import parse_rule
        from werkzeug.utils import invalidate_cached_property
        from werkzeug.serving import run_with_reloader
        from werkzeug import FileStorage, ImmutableDict, cached_property, import_string, secure_filename
        from werkzeug import datastructures
        from werkzeug.wrappers import BaseRequest, BaseResponse
        assert werkzeug.__version__ >= "3"
        assert isinstance(app.make_response(""), BaseResponse)
        assert isinstance(app.request_class({}), BaseRequest)
        assert import_string("werkzeug:FileStorage") is FileStorage
        assert ImmutableDict is datastructures.ImmutableDict
        from werkzeug import LocalProxy, check_password_hash, local, security, url_encode, urls
        assert (LocalProxy, check_password_hash) == (local.LocalProxy, security.check_password_hash)
        assert url_encode is urls.url_encode
        from werkzeug.security import safe_str_cmp
        from werkzeug._compat import BytesIO, reraise, string_types, to_bytes, wsgi_encoding_dance
        from werkzeug.datastructures import WWWAuthenticate
        from werkzeug.http import parse_authorization_header
        WWWAuthenticate("digest").set_digest("shelf", "1")
        from werkzeug.urls import url_decode_stream
        from werkzeug.urls import url_decode, url_encode, url_join, url_parse, url_quote, url_unquote
        assert url_parse("http://shop/basket").netloc == "shop"
    """)


# --- Flask


@needs_flask
def test_flask_has_its_names() -> None:
    under("""
        from flask import Markup, escape, signals_available
        from flask.signals import signals_available as again
        assert escape("<") == Markup("&lt;")
        assert signals_available is again is True
        assert app.session_cookie_name == "session"
        assert app.config["JSONIFY_PRETTYPRINT_REGULAR"] is False
    """)


@needs_flask
def test_jinja_has_its_names() -> None:
    under("""
        from jinja2 import Markup, contextfilter, contextfunction, environmentfilter, escape, evalcontextfilter
        assert escape("<") == Markup("&lt;")
        @app.template_global()
        @contextfunction
        def name(context):
            return context["request"].path
        @app.template_filter()
        @evalcontextfilter
        def escapes(context, value):
            return context.autoescape
        app.jinja_env.add_extension("jinja2.ext.autoescape")
        app.jinja_env.add_extension("jinja2.ext.with_")
        with app.test_request_context("/spoon"):
            assert flask.render_template_string("{{ name() }} {{ 1 | escapes }}") == "/spoon True"
    """)


@needs_flask
def test_private_names_are_there_again() -> None:
    under("""
        import flask._compat
        from flask.globals import _app_ctx_err_msg, _request_ctx_err_msg
        from flask.helpers import _endpoint_from_view_func
        assert flask._compat.text_type is str and flask._compat.string_types == (str,)
        assert "application context" in _app_ctx_err_msg and "request context" in _request_ctx_err_msg
        from flask.helpers import total_seconds
        import datetime
        from flask.views import MethodViewType, MethodView, with_metaclass
        class Shelf(with_metaclass(MethodViewType, MethodView)):
            def get(self):
                return ""
        assert Shelf.methods == {"GET"} and flask._compat.with_metaclass is with_metaclass
        from werkzeug.posixemulation import rename
        assert rename.__name__ == "replace"
        assert total_seconds(datetime.timedelta(days=1, seconds=2, milliseconds=3)) == 86402
        assert app.make_response("").charset == Flask.request_class.charset == "utf-8"
        assert _endpoint_from_view_func(test := lambda: "") == test.__name__
    """)


@needs_flask
@pytest.mark.parametrize("headers", [{"X-Key": b"\xe4"}, [("X-Key", b"\xe4")], {"X-Key": ["\xe4"]}])
def test_test_client_accepts_bytes(headers: object) -> None:
    under(f"""
        with app.test_request_context(b"/caf%C3%A9", headers={headers!r}):
            assert (flask.request.path, flask.request.headers["X-Key"]) == ("/café", "ä")
        from werkzeug.datastructures import Headers
        with app.test_request_context(headers=Headers({{"X-Key": "1"}})):
            assert flask.request.headers["X-Key"] == "1"
    """)


@needs_flask
def test_methods_are_replaced_once() -> None:
    under("""
        from flask.cli import ScriptInfo
        from schlenk import removed
        from werkzeug.test import EnvironBuilder
        def methods():
            return [ScriptInfo.__init__, EnvironBuilder.__init__, flask.Blueprint.register, flask.send_file]
        before = methods()
        removed.put_back(flask)
        assert methods() == before
    """)


@needs_flask
def test_factory_is_passed_script_info() -> None:
    under("""
        from flask.cli import ScriptInfo
        def default(config=None, script_info=None):
            return Flask(script_info.app_import_path)
        def keyword(*, script_info):
            return Flask(script_info.app_import_path)
        for factory in [default, keyword, lambda info: Flask(info.app_import_path)]:
            assert ScriptInfo("shop", factory).load_app().name == "shop"
    """)


@needs_flask
def test_other_factory_is_called_without_script_info() -> None:
    under("""
        from flask.cli import ScriptInfo
        for factory in [lambda: app, lambda info=app: info, lambda *args, **kwargs: args or kwargs or app]:
            assert ScriptInfo(create_app=factory).load_app() is app
        assert ScriptInfo(create_app=dict).create_app is dict  # without a signature
        try:
            ScriptInfo(create_app=lambda one, two: app).load_app()
        except TypeError as error:
            assert "'one' and 'two'" in str(error)
        else:
            raise AssertionError
    """)


@needs_flask
def test_script_info_reads_flask_app(tmp_path: Path) -> None:
    tmp_path.joinpath("stand.py").write_text("from flask import Flask\napp = Flask('stand')\nother = Flask('other')")
    under(f"""
        import os
        from flask.cli import ScriptInfo
        os.chdir({str(tmp_path)!r})
        os.environ["FLASK_APP"] = "stand"
        assert ScriptInfo().load_app().name == "stand"
        assert ScriptInfo("stand:other").load_app().name == "other"
        assert ScriptInfo(create_app=Flask).app_import_path is None
    """)


@needs_flask
@pytest.mark.parametrize("arguments", [{}, {"first_registration": True}])
def test_register_accepts_third_argument(arguments: dict[str, bool]) -> None:
    under(f"""
        blueprint = flask.Blueprint("shelf", __name__)
        blueprint.add_url_rule("/shelf", view_func=lambda: "full", endpoint="show")
        blueprint.register(app, {{}}, **{arguments})
        assert app.test_client().get("/shelf").text == "full"
        assert app.blueprints == {{"shelf": blueprint}}
    """)


@needs_flask
def test_register_accepts_other_object() -> None:
    under("""
        class Sockets:
            def add_url_rule(self, *args, **kwargs):
                self.added = args
        blueprint = flask.Blueprint("shelf", __name__)
        blueprint.add_url_rule("/shelf", view_func=print, endpoint="show")
        blueprint.record_once(lambda state: states.append(state))
        sockets, states = Sockets(), []
        blueprint.register(sockets, {"url_prefix": "/at"}, True)
        blueprint.register(sockets, {"url_prefix": "/in"}, False)
        assert sockets.added == ("/in/shelf", "shelf.show", print)
        assert [state.app for state in states] == [sockets]
    """)


@needs_flask
def test_env_is_read_when_it_is_used() -> None:
    under("""
        import os
        os.environ.pop("FLASK_ENV", None)
        assert app.env == "production"
        os.environ["FLASK_ENV"] = "staging"
        assert app.env == "staging"
        app.env = "development"
        assert app.env == app.config["ENV"] == "development"
        app.env = {}
        assert app.env == {}
    """)


@needs_flask
def test_views_have_their_type() -> None:
    under("""
        from flask.views import MethodView, MethodViewType, View
        class Meta(MethodViewType):
            pass
        class Shelf(MethodView, metaclass=Meta):
            def get(self):
                return "spoon"
        assert isinstance(Shelf, MethodViewType)
        assert isinstance(MethodView, MethodViewType)
        assert not isinstance(View, MethodViewType)
        assert not isinstance(Shelf(), MethodViewType)
        app.add_url_rule("/", view_func=Shelf.as_view("shelf"))
        assert app.test_client().get("/").text == "spoon"
    """)


@needs_flask
def test_files_are_sent_with_old_parameters() -> None:
    under("""
        import io, os
        app.static_folder = os.path.dirname(flask.__file__)
        with app.test_request_context():
            response = flask.send_file(io.BytesIO(b"a"), attachment_filename="a.txt", cache_timeout=7)
            assert response.mimetype == "text/plain" and response.cache_control.max_age == 7
            from flask.helpers import send_from_directory
            response = send_from_directory(app.static_folder, filename="app.py", add_etags=False, cache_timeout=None)
            assert response.status_code == 200 and "ETag" not in response.headers
            response.close()
    """)


@needs_flask
def test_traceback_is_shown_from_a_frame() -> None:
    under("""
        from werkzeug.debug.tbtools import get_current_traceback
        def fail():
            [][0]
        try:
            fail()
        except IndexError:
            whole, inner = get_current_traceback(), get_current_traceback(skip=1)
        assert "in <module>" in whole.plaintext and "in <module>" not in inner.plaintext
        assert "^" not in whole.plaintext
        assert "IndexError" in inner.render_full()
    """)


@needs_flask
def test_traceback_of_exit_is_refused() -> None:
    under("""
        from werkzeug.debug.tbtools import get_current_traceback
        try:
            try:
                raise SystemExit
            except SystemExit:
                assert "SystemExit" in get_current_traceback().plaintext
                get_current_traceback(True)
        except SystemExit:
            pass
        else:
            raise AssertionError
    """)


@needs_flask
def test_errors_propagate_as_configured() -> None:
    under("""
        assert app.propagate_exceptions is False
        app.testing = True
        assert app.propagate_exceptions is True
        app.config["PROPAGATE_EXCEPTIONS"] = False
        assert app.propagate_exceptions is False
        app.propagate_exceptions = True
        assert app.config["PROPAGATE_EXCEPTIONS"] is True
    """)


@needs_flask
def test_scaffold_is_a_module() -> None:
    under("""
        from flask.scaffold import Scaffold
        assert issubclass(Flask, Scaffold)
    """)


@needs_flask
def test_cookie_is_set_from_bytes() -> None:
    under("""
        response = app.make_response("")
        response.set_cookie("signed", b"1.abc", max_age=1)
        response.set_cookie("plain", "2")
        response.set_cookie("empty")
        assert [cookie.partition(";")[0] for cookie in response.headers.getlist("Set-Cookie")] == [
            "signed=1.abc", "plain=2", "empty="
        ]
    """)


@needs_flask
def test_session_of_a_context_can_be_set() -> None:
    under("""
        with app.test_request_context():
            _request_ctx_stack.top.session = flask.sessions.SecureCookieSession({"user": "ada"})
            assert session["user"] == "ada"
    """)


@needs_flask
def test_names_that_are_there_are_left() -> None:
    run("""
        import sys, werkzeug.security, schlenk
        mine = werkzeug.security.safe_str_cmp = object()
        schlenk.install_under_flask()
        assert werkzeug.security.safe_str_cmp is mine
    """)


@needs_flask
def test_put_back_twice_changes_nothing() -> None:
    under("""
        before = dict(vars(Flask))
        schlenk.removed.put_back(flask)
        assert dict(vars(Flask)) == before
    """)


@needs_flask
def test_locked_property_is_computed_once() -> None:
    under("""
        from flask.helpers import locked_cached_property
        class Shelf:
            made = 0
            @locked_cached_property
            def items(self):
                self.made += 1
                return []
        shelf = Shelf()
        assert isinstance(Shelf.items, locked_cached_property)
        assert shelf.items is shelf.items
        assert shelf.made == 1
        shelf.items = ["spoon"]
        assert shelf.items == ["spoon"]
        del shelf.items
        assert shelf.items == []
    """)


@needs_flask
def test_json_encoder_writes_for_its_app() -> None:
    under("""
        from flask.json import JSONEncoder
        import uuid
        class Encoder(JSONEncoder):
            def default(self, o):
                return "a set" if isinstance(o, set) else super().default(o)
        app.json_encoder = Encoder
        with app.app_context():
            assert flask.json.dumps([set(), uuid.UUID(int=0)]) == '["a set", "00000000-0000-0000-0000-000000000000"]'
            assert flask.jsonify(b=1, a=set()).get_data(as_text=True) == '{"a":"a set","b":1}\\n'
        assert Flask("other").json.dumps({}) == "{}"
        assert Flask("other").json.dumps([1], cls=Encoder) == "[1]"
    """)


@needs_flask
def test_other_encoder_keeps_flasks_default() -> None:
    under("""
        import datetime, json
        class Encoder(json.JSONEncoder):
            pass
        app.json_encoder = Encoder
        assert app.json.dumps(datetime.date(2000, 1, 1)) == '"Sat, 01 Jan 2000 00:00:00 GMT"'
    """)


@needs_flask
def test_plain_encoder_keeps_its_default() -> None:
    under("""
        import json
        class Encoder(json.JSONEncoder):
            def default(self, o):
                return "an object"
        app.json_encoder = Encoder
        with app.app_context():
            assert flask.jsonify(object()).get_data(as_text=True) == '"an object"\\n'
    """)


@needs_flask
def test_given_encoder_gets_flasks_default() -> None:
    under("""
        import datetime, json
        class Encoder(json.JSONEncoder):
            pass
        assert app.json.dumps(datetime.date(2000, 1, 1), cls=Encoder) == '"Sat, 01 Jan 2000 00:00:00 GMT"'
    """)


@needs_flask
def test_json_needs_no_app() -> None:
    under("""
        provider = Flask("other").json
        gc.collect()
        assert provider.loads("[1]") == [1]
        assert provider.dumps([1]) == "[1]"
    """)


@needs_flask
def test_encoder_may_be_none() -> None:
    under("""
        app.json_encoder = app.json_decoder = None
        with app.app_context():
            assert flask.json.dumps([1], cls=None) == "[1]"
            assert flask.json.loads("[1]") == [1]
    """)


@needs_flask
def test_blueprint_has_its_own_encoder() -> None:
    under("""
        class Encoder(flask.json.JSONEncoder):
            def default(self, o):
                return str(o)
        shop = flask.Blueprint("shop", "shop")
        shop.json_encoder = Encoder
        shop.add_url_rule("/shop", "number", lambda: flask.jsonify(1j))
        app.register_blueprint(shop)
        app.add_url_rule("/number", "number", lambda: flask.jsonify(1j))
        app.logger.disabled = True
        client = app.test_client()
        assert client.get("/shop").json == "1j"
        assert client.get("/number").status_code == 500
    """)


@needs_flask
def test_settings_change_json() -> None:
    under("""
        with app.app_context():
            assert flask.jsonify(b="é", a=1).data == b'{"a":1,"b":"\\\\u00e9"}\\n'
            app.json.sort_keys = False
            assert flask.jsonify(b=1, a=1).data == b'{"b":1,"a":1}\\n'
            app.json.sort_keys = True
            app.config.update(JSON_SORT_KEYS=False, JSON_AS_ASCII=False, JSONIFY_MIMETYPE="application/vnd.shop")
            response = flask.jsonify(b="é", a=1)
            assert response.data.decode() == '{"b":"é","a":1}\\n'
            assert response.mimetype == "application/vnd.shop"
    """)


@needs_flask
def test_json_decoder_reads_for_its_app() -> None:
    under("""
        from flask.json import JSONDecoder
        class Decoder(JSONDecoder):
            def decode(self, s):
                return "decoded"
        assert app.json.loads("1") == 1
        app.json_decoder = Decoder
        assert app.json.loads("1") == "decoded"
    """)


@needs_flask
def test_pretty_print_setting_indents_json() -> None:
    under("""
        with app.app_context():
            assert flask.jsonify(a=1).get_data(as_text=True) == '{"a":1}\\n'
            app.config["JSONIFY_PRETTYPRINT_REGULAR"] = True
            assert flask.jsonify(a=1).get_data(as_text=True) == '{\\n  "a": 1\\n}\\n'
            app.json.compact = True
            assert flask.jsonify(a=1).get_data(as_text=True) == '{"a":1}\\n'
    """)


@needs_flask
def test_before_first_request_runs_once() -> None:
    under("""
        ran = []
        blueprint = flask.Blueprint("shelves", __name__)
        blueprint.before_app_first_request(lambda: ran.append("blueprint"))
        @app.before_first_request
        def first():
            ran.append(request.path)
            # A request of its own does not wait for this one.
            app.test_client().get("/inner")
        app.register_blueprint(blueprint)
        @app.before_request
        def each():
            ran.append("request")
        client = app.test_client()
        client.get("/outer"), client.get("/again")
        assert ran == ["/outer", "request", "blueprint", "request", "request"]
    """)


@needs_flask
def test_first_request_can_be_triggered() -> None:
    under("""
        ran = []
        app.before_first_request(lambda: ran.append("first"))
        app.try_trigger_before_first_request_functions()
        app.test_client().get("/")
        assert ran == ["first"]
    """)


@needs_flask
def test_got_first_request_follows_functions() -> None:
    under("""
        seen = []
        app.before_first_request(lambda: seen.append(app.got_first_request))
        app.before_request(lambda: seen.append(app.got_first_request))
        assert not app.got_first_request
        app.test_client().get("/")
        assert seen == [False, True]
    """)


@needs_flask
def test_failed_first_request_runs_again() -> None:
    under("""
        ran = []
        def fail():
            ran.append("first")
            if len(ran) == 1:
                raise KeyError
        app.before_first_request_funcs = [fail]
        client = app.test_client()
        assert [client.get("/").status_code for number in range(3)] == [500, 404, 404]
        assert ran == ["first", "first"]
    """)


@needs_flask
def test_cookie_jar_shows_clients_cookies() -> None:
    under("""
        import datetime
        client = app.test_client()
        assert len(client.cookie_jar) == 0
        client.set_cookie("a", "1", path="/shelf", httponly=True)
        client.set_cookie("b", "2", expires=datetime.datetime(2099, 1, 1))
        a, b = client.cookie_jar
        assert (a.name, a.value, a.path, a.expires) == ("a", "1", "/shelf", None)
        assert (a.domain, a.domain_specified) == ("localhost.local", False)
        assert a.has_nonstandard_attr("HttpOnly")
        assert b.expires == 4070908800
        assert client.cookie_jar._cookies["localhost.local"]["/shelf"]["a"].value == "1"
        client.cookie_jar.clear("localhost.local", "/", "a")
        assert [cookie.name for cookie in client.cookie_jar] == ["a", "b"]
        client.cookie_jar.clear("localhost.local", "/shelf", "a")
        assert [cookie.name for cookie in client.cookie_jar] == ["b"]
        client.set_cookie("c", "3")
        client.cookie_jar.clear_session_cookies()
        assert [cookie.name for cookie in client.cookie_jar] == ["b"]
        client.cookie_jar.clear()
        assert list(client.cookie_jar) == []
    """)


@needs_flask
def test_client_accepts_server_names() -> None:
    under("""
        client = app.test_client()
        client.set_cookie("example.com", "a", "1")
        client.set_cookie(server_name="example.com", key="b", value="2")
        client.set_cookie("c", "3")
        assert client.get_cookie("a", "example.com").value == "1"
        assert client.get_cookie("c").value == "3"
        client.delete_cookie("example.com", "a")
        client.delete_cookie(server_name="example.com", key="b")
        client.delete_cookie("c")
        assert list(client.cookie_jar) == []
    """)


@needs_flask
def test_cookie_jar_takes_cookies() -> None:
    under("""
        one, other = app.test_client(), app.test_client()
        one.set_cookie("a", "1", path="/shelf")
        one.set_cookie("b", "2", domain="shop.example.com", origin_only=False)
        one.set_cookie("c", "3", domain="example.com")
        for cookie in one.cookie_jar:
            other.cookie_jar.set_cookie(cookie)
        assert other.get_cookie("a", path="/shelf").value == "1"
        assert not other.get_cookie("b", "shop.example.com").origin_only
        assert [cookie.domain for cookie in other.cookie_jar] == [
            "localhost.local", ".shop.example.com", "example.com",
        ]
    """)


@needs_flask
def test_cookie_jar_fills_an_environment() -> None:
    under("""
        client = app.test_client()
        import werkzeug.test
        client.set_cookie("a", "1")
        environ = werkzeug.test.create_environ()
        client.cookie_jar.inject_wsgi(environ)
        assert environ["HTTP_COOKIE"] == "a=1"
    """)


# --- Features that change a response

ASKED = """
import schlenk
schlenk.install_under_flask({!r})
from flask import Flask, redirect, request
app = Flask("shop")
client = app.test_client()
@app.route("/json", methods=["GET", "POST"])
def json():
    return {{"json": request.json}}
@app.route("/move")
def move():
    return redirect("/json")
"""


@needs_flask
@pytest.mark.parametrize(("names", "status"), [([], 415), ("request.json", 200)])
def test_json_of_other_request_is_none(names: object, status: int) -> None:
    run(
        ASKED.format(names),
        f"""
        response = client.get("/json")
        assert response.status_code == {status}
        assert {status} == 415 or response.json == {{"json": None}}
        assert client.post("/json", data="}}", content_type="application/json").status_code == 400
        """,
    )


@needs_flask
def test_json_of_werkzeug_request_is_none() -> None:
    run(
        ASKED.format("request.json"),
        """
        import werkzeug
        assert werkzeug.Request.from_values().json is None
        """,
    )


@needs_flask
@pytest.mark.parametrize(("names", "location"), [([], "/json"), (["location"], "http://localhost/json")])
def test_location_is_absolute_when_asked(names: list[str], location: str) -> None:
    run(ASKED.format(names), f"assert client.get('/move').location == {location!r}")


@needs_flask
def test_authorization_is_a_dict_when_asked() -> None:
    run(
        ASKED.format(["authorization"]),
        """
        with app.test_request_context("/", auth=("ada", "key")):
            assert request.authorization == {"username": "ada", "password": "key"}
            assert (request.authorization.type, request.authorization.username) == ("basic", "ada")
            assert request.authorization.realm is None
            assert not hasattr(request.authorization, "__wrapped__")
        for headers in [{}, {"Authorization": "Bearer token"}]:
            with app.test_request_context("/", headers=headers):
                assert request.authorization is None
        """,
    )


@needs_flask
@pytest.mark.parametrize(
    ("names", "debug", "refused"),
    [([], False, ["app", "blueprint"]), (["setup"], False, []), (["setup"], True, ["app"])],
)
def test_setup_is_allowed_after_first_request(names: list[str], debug: bool, refused: list[str]) -> None:
    run(
        ASKED.format(names),
        f"""
        from flask import Blueprint
        schlenk.install_under_flask({names})
        blueprint = Blueprint("shelf", "shelf")
        app.register_blueprint(blueprint)
        client.get("/move")
        app.debug = {debug}
        found = []
        for name, owner in {{"app": app, "blueprint": blueprint}}.items():
            try:
                owner.add_url_rule(f"/{{name}}", name, lambda: "late")
            except AssertionError:
                found.append(name)
        assert found == {refused}
        assert "app" in found or client.get("/app").text == "late"
        """,
    )


CONVERTERS = """
from werkzeug.routing import BaseConverter, IntegerConverter
class Written(BaseConverter):
    regex = {0!r}
schlenk.install_under_flask({1})
schlenk.install_under_flask({1})
class Numeric(IntegerConverter):
    regex = {0!r}
    to_python = BaseConverter.to_python
class Given(BaseConverter):
    def __init__(self, url_map):
        super().__init__(url_map)
        self.regex = {0!r}
app.add_url_rule("/<page>/edit", "plain", lambda page: "plain")
for converter in [Written, Numeric, Given]:
    app.url_map.converters[converter.__name__] = converter
    app.add_url_rule(f"/{{converter.__name__}}/<{{converter.__name__}}:at>", converter.__name__, lambda at: at)
app.add_url_rule("/<Given:at>/edit", "given", lambda at: at)
"""


@needs_flask
@pytest.mark.parametrize("regex", [".+", "[ -~]+", r"\w\W\w", "a/b", "a(.)b"])
def test_converter_matches_slash(regex: str) -> None:
    run(
        ASKED.format([]),
        CONVERTERS.format(regex, ["converters"]),
        "assert [client.get(f'/{name}/a/b').text for name in ['Written', 'Numeric', 'Given']] == ['a/b'] * 3",
    )


@needs_flask
def test_converter_matches_no_slash_unless_asked() -> None:
    run(
        ASKED.format([]),
        CONVERTERS.format(".+", []),
        "assert [client.get(f'/{name}/a/b').status_code for name in ['Written', 'Given']] == [404, 404]",
    )


@needs_flask
@pytest.mark.parametrize("regex", [r"[\w.-]+", r"a\.b", "[^/]+", r"[^]/]+", r"\w*?\.b"])
def test_converter_without_slash_is_unchanged(regex: str) -> None:
    """Werkzeug tries a converter that can match a slash after those that cannot, whatever the order of the rules."""
    run(
        ASKED.format([]),
        CONVERTERS.format(regex, ["converters"]),
        "assert [client.get(path).text for path in ['/a.b/edit', '/Given/a.b']] == ['plain', 'a.b']",
    )


@needs_flask
@pytest.mark.parametrize("names", [["location"], ["location", "authorization"]])
def test_second_call_adds_changes(names: list[str]) -> None:
    run(
        "import schlenk; schlenk.install_under_flask(['authorization'])",
        ASKED.format(names),
        """
        assert client.get("/move").location == "http://localhost/json"
        with app.test_request_context("/", auth=("ada", "key")):
            assert request.authorization == {"username": "ada", "password": "key"}
        """,
    )


@needs_flask
def test_reimported_flask_is_changed_again() -> None:
    names = ["location", "authorization"]
    run(
        f"""
        import sys, schlenk
        schlenk.install_under_flask({names})
        for name in [name for name in sys.modules if name.partition(".")[0] == "flask"]:
            del sys.modules[name]
        """,
        ASKED.format(names),
        """
        assert client.get("/move").location == "http://localhost/json"
        with app.test_request_context("/", auth=("ada", "key")):
            assert request.authorization == {"username": "ada", "password": "key"}
        """,
    )
