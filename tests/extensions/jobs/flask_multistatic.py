"""Serve static files from two folders, the first of which has precedence."""

import tempfile
from pathlib import Path

from flask_multistatic import MultiStaticFlask

place = Path(tempfile.mkdtemp())
for name in ("theme/static/a.css", "base/static/a.css", "base/static/b.css"):
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(name)
app = MultiStaticFlask("shop")
app.testing = True
app.static_folder = [str(place / "theme/static"), str(place / "base/static")]
client = app.test_client()
assert client.get("/static/a.css").text == "theme/static/a.css"
assert client.get("/static/b.css").text == "base/static/b.css"
assert client.get("/static/c.css").status_code == 404
