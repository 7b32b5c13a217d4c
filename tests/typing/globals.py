"""What the globals are to a type checker: what they stand for, not proxies to anything.

Never run: mypy and pyright read it. Each ``assert_type`` fails if the type becomes another, ``Any`` included; and where
something has to be an error, a ``type: ignore`` that nothing needs is one too.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from schlenk import Flask, Request, current_app, g, request, session
from schlenk import app as app_module
from schlenk.ctx import _AppCtxGlobals
from schlenk.sessions import SessionMixin


def the_globals() -> None:
    assert_type(request, Request)
    assert_type(session, SessionMixin)
    assert_type(current_app, Flask)
    assert_type(g, _AppCtxGlobals)


def the_globals_of_the_app_module() -> None:
    assert_type(app_module.request, Request)
    assert_type(app_module.session, SessionMixin)
    assert_type(app_module.current_app, Flask)
    assert_type(app_module.g, _AppCtxGlobals)


def what_they_have() -> None:
    assert_type(request.method, str)
    assert_type(request.args.get("name"), "str | None")
    assert_type(request.endpoint, "str | None")
    assert_type(request.view_args, "dict[str, Any] | None")
    assert_type(session.permanent, bool)
    assert_type(session["key"], Any)
    assert_type(current_app.name, str)
    assert_type(g.anything_an_application_has_put_there, Any)


def what_they_have_not() -> None:
    request.no_such_attribute  # type: ignore[attr-defined]  # noqa: B018
    session.no_such_attribute  # type: ignore[attr-defined]  # noqa: B018
    current_app.no_such_attribute  # type: ignore[attr-defined]  # noqa: B018
