"""Send forms, JSON and cookies, log in with Basic and Digest, and read a stream and a redirect."""

from hashlib import md5
from re import findall

from httpbin import app

client = app.test_client()
assert client.get("/get?a=1").json["args"] == {"a": "1"}
assert client.post("/post", data={"a": "1"}).json["form"] == {"a": "1"}
assert client.post("/post", json={"a": 1}).json["json"] == {"a": 1}
assert client.post("/post", data="{", content_type="application/json").json["json"] is None
assert client.get("/redirect/1").status_code == 302
assert client.get("/status/418").status_code == 418
assert client.get("/basic-auth/ada/key", auth=("ada", "key")).json["authenticated"]
assert client.get("/basic-auth/ada/key", auth=("ada", "wrong")).status_code == 401
assert client.get("/bearer", headers={"Authorization": "Bearer token"}).json["token"] == "token"
assert "a=1" in client.get("/cookies/set?a=1").headers["Set-Cookie"]
assert client.get("/cookies").json["cookies"]["a"] == "1"
assert client.get("/etag/a", headers={"If-None-Match": "a"}).status_code == 304
assert client.get("/gzip").headers["Content-Encoding"] == "gzip"
assert client.get("/stream/2").data.count(b"\n") == 2
assert client.get("/").status_code == 200


def hashed(*parts):
    return md5(":".join(parts).encode()).hexdigest()


uri = "/digest-auth/auth/ada/key"
refused = client.get(uri)
assert refused.status_code == 401
fields = dict(findall(r'(\w+)="([^"]*)"', refused.headers["WWW-Authenticate"]))
fields.update(username="ada", uri=uri, nc="1", cnonce="c", qop="auth")
key = hashed("ada", fields["realm"], "key")
parts = (fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], hashed("GET", uri))
fields["response"] = hashed(key, *parts)
header = "Digest " + ", ".join(f'{name}="{value}"' for name, value in fields.items())
assert client.get(uri, headers={"Authorization": header}).json["authenticated"]
assert client.get(uri, headers={"Authorization": header.replace(fields["response"], "0")}).status_code == 401
