"""Serve a specification: parameters, a body, a form with a file, a key, a password, and an answer with a date."""

import datetime
import io
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import connexion


def operation(name, **more):
    return {"operationId": f"handlers.{name}", "responses": {"200": {"description": "done"}}, **more}


def content(kind, **properties):
    return {"content": {kind: {"schema": {"type": "object", "required": ["name"], "properties": properties}}}}


TEXT = {"type": "string"}
numbers = {"type": "array", "items": {"type": "integer"}}
specification = {
    "openapi": "3.0.0",
    "info": {"title": "shop", "version": "1"},
    # Its path names a blueprint, so it cannot be empty.
    "servers": [{"url": "/v1"}],
    "paths": {
        "/notes/{id}": {
            "get": operation(
                "show",
                parameters=[
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                    {"name": "q", "in": "query", "schema": numbers},
                ],
            )
        },
        "/notes": {
            "post": operation("add", security=[{"key": []}], requestBody=content("application/json", name=TEXT))
        },
        "/form": {
            "post": operation(
                "form", requestBody=content("multipart/form-data", name=TEXT, file={**TEXT, "format": "binary"})
            )
        },
        "/me": {"get": operation("me", security=[{"password": []}])},
    },
    "components": {
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-Key", "x-apikeyInfoFunc": "handlers.check_key"},
            "password": {"type": "http", "scheme": "basic", "x-basicInfoFunc": "handlers.check_password"},
        }
    },
}
handlers = sys.modules["handlers"] = ModuleType("handlers")


def show(id, q=None):
    return {"id": id, "q": q, "day": datetime.date(2020, 1, 2)}


def add(body, user):
    return {"name": body["name"], "user": user, "again": connexion.context["user"]}, 201


def form(body, file):
    return {"name": body["name"], "file": file.read().decode()}


def me(user):
    return user


def check_key(key, required_scopes=None):
    return {"sub": "ada"} if key == "s3cret" else None


def check_password(name, password, required_scopes=None):
    return {"sub": name} if password == "engine" else None


vars(handlers).update(show=show, add=add, form=form, me=me, check_key=check_key, check_password=check_password)
folder = Path(tempfile.mkdtemp())
(folder / "shop.json").write_text(json.dumps(specification))
app = connexion.FlaskApp("shop", specification_dir=str(folder), options={"swagger_ui": False})
app.add_api("shop.json", validate_responses=True)

client = app.app.test_client()
key = {"X-Key": "s3cret"}
assert client.get("/v1/notes/3?q=1,2").json == {"id": 3, "q": [1, 2], "day": "2020-01-02"}
assert client.get("/v1/notes/x").status_code == 404
assert client.get("/v1/missing").json["title"] == "Not Found"
assert client.post("/v1/notes", json={"name": "milk"}, headers=key).json == {
    "name": "milk",
    "user": "ada",
    "again": "ada",
}
assert client.post("/v1/notes", json={"name": "milk"}).status_code == 401
assert client.post("/v1/notes", json={}, headers=key).status_code == 400
assert client.post("/v1/notes", data="x", headers=key).status_code == 415
sent = client.post("/v1/form", data={"name": "milk", "file": (io.BytesIO(b"a"), "a.txt")})
assert sent.json == {"name": "milk", "file": "a"}
assert client.get("/v1/me", auth=("ada", "engine")).json == "ada"
assert client.get("/v1/openapi.json").status_code == 200
