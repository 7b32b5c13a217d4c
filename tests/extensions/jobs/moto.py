"""Store an object in a simulated S3. Its key contains a slash, which moto matches with a converter of its own."""

import os

os.environ.update(AWS_ACCESS_KEY_ID="ada", AWS_SECRET_ACCESS_KEY="engine")

from moto.server import create_backend_app

client = create_backend_app("s3").test_client()
headers = {"Authorization": "AWS ada:signature"}
assert client.put("/shop", environ_overrides={"CONTENT_LENGTH": "0"}).status_code == 200
assert client.put("/shop/tea/black", data="200 g").status_code == 200
assert client.get("/shop/tea/black", headers=headers).text == "200 g"
assert "<Key>tea/black</Key>" in client.get("/shop", headers=headers).text
