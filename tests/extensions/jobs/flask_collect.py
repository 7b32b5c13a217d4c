"""Copy the static files of an application and of a blueprint into one folder."""

import tempfile
from pathlib import Path

from flask import Blueprint, Flask
from flask_collect import Collect

place = Path(tempfile.mkdtemp())
for name in ("static/app.css", "shelves/static/shelves/blueprint.css"):
    (place / name).parent.mkdir(parents=True)
    (place / name).write_text("css")
app = Flask("shop", root_path=str(place))
app.register_blueprint(Blueprint("shelves", "shelves", root_path=str(place / "shelves"), static_folder="static"))
app.config["COLLECT_STATIC_ROOT"] = str(place / "collected")
Collect(app).collect()
assert (place / "collected/app.css").read_text() == "css"
assert (place / "collected/shelves/blueprint.css").read_text() == "css"
