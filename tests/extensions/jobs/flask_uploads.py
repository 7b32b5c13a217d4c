"""Save an uploaded photo and refuse another kind of file."""

import io
import tempfile

from flask import Flask, request
from flask_uploads import IMAGES, UploadNotAllowed, UploadSet, configure_uploads, patch_request_class

app = Flask("shop")
app.config["UPLOADED_PHOTOS_DEST"] = tempfile.mkdtemp()
photos = UploadSet("photos", IMAGES)
configure_uploads(app, photos)
patch_request_class(app, 1000)


@app.route("/", methods=["POST"])
def upload():
    try:
        return photos.url(photos.save(request.files["photo"]))
    except UploadNotAllowed:
        return "not allowed", 415


def send(content, name):
    return client.post("/", data={"photo": (io.BytesIO(content), name)})


client = app.test_client()
url = send(b"cat", "../my cat.png").text
assert url == "http://localhost/_uploads/photos/my_cat.png"
assert client.get(url).data == b"cat"
assert send(b"cat", "cat.exe").status_code == 415
assert send(b"cat" * 1000, "cat.png").status_code == 413
