"""Cache a view, a function and a part of a template."""

import flask
from flask import Flask, request
from flask_caching import Cache

app = Flask("shop")
app.config["CACHE_TYPE"] = "SimpleCache"
cache = Cache(app)
calls = []


@app.route("/view")
@cache.cached(query_string=True)
def view():
    calls.append(request.args["q"])
    return f"{len(calls)}"


@cache.memoize()
def double(number):
    calls.append(number)
    return 2 * number


@app.route("/memo/<int:number>")
def memo(number):
    return str(double(number))


@app.route("/template/<word>")
def template(word):
    return flask.render_template_string("{% cache 60, 'part' %}{{ word }}{% endcache %}", word=word)


@app.route("/clear")
def clear():
    cache.delete_memoized(double)
    cache.clear()
    return "cleared"


client = app.test_client()
assert [client.get(f"/view?q={q}").text for q in "aabb"] == ["1", "1", "2", "2"]
assert [client.get(path).text for path in ("/memo/2", "/memo/2", "/memo/3")] == ["4", "4", "6"]
assert calls == ["a", "b", 2, 3]
assert [client.get(f"/template/{word}").text for word in ("one", "two")] == ["one", "one"]
assert client.get("/clear").text == "cleared"
assert client.get("/view?q=a").text == "5"
