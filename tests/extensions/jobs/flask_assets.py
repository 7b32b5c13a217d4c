"""Merge two files into one, and write its URL in a template."""

import tempfile
from pathlib import Path

from flask import Flask, render_template_string
from flask_assets import Bundle, Environment

root = Path(tempfile.mkdtemp())
(root / "static").mkdir()
(root / "static" / "a.css").write_text("a {}")
(root / "static" / "b.css").write_text("b {}")
app = Flask("shop", root_path=str(root))
Environment(app).register("all", Bundle("a.css", "b.css", output="all.css"))


@app.route("/")
def index():
    return render_template_string("{% assets 'all' %}{{ ASSET_URL }}{% endassets %}")


client = app.test_client()
url = client.get("/").text
assert url.startswith("/static/all.css?")
merged = client.get(url).text
assert "a {}" in merged
assert "b {}" in merged
