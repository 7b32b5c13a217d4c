"""Resize an image, read its size, and download it."""

import io
import tempfile
from pathlib import Path

from flask import Flask
from flask_iiif import IIIF
from flask_restful import Api
from PIL import Image

folder = Path(tempfile.mkdtemp())
Image.new("RGB", (40, 20)).save(folder / "a.png")
app = Flask("shop")
app.config["IIIF_CACHE_HANDLER"] = "flask_iiif.cache.simple:ImageSimpleCache"
images = IIIF(app=app)
images.init_restful(Api(app))
images.uuid_to_image_opener_handler(lambda name: str(folder / name))

client = app.test_client()
place = "/api/multimedia/image/v2/a.png"
assert client.get(f"{place}/info.json").json["width"] == 40
resized = client.get(f"{place}/full/10,/0/default.png")
assert Image.open(io.BytesIO(resized.data)).size == (10, 5)
downloaded = client.get(f"{place}/full/10,/0/default.png?dl=b.png")
assert "b.png" in downloaded.headers["Content-Disposition"]
assert client.get(f"{place}/full/10,/0/default.gone").status_code == 400
