"""Serve a page with callbacks: its layout, an answer, and the traceback of an error in one of them."""

import dash
import dash_core_components
import dash_html_components
from dash.dependencies import Input, Output
from flask import request

app = dash.Dash("shop")
app.layout = dash_html_components.Div(
    [dash_core_components.Input(id="name", value="ada"), dash_html_components.Div(id="greeting")]
)
app.enable_dev_tools(debug=True, dev_tools_hot_reload=False)


@app.callback(Output("greeting", "children"), [Input("name", "value")])
def greet(name):
    return f"hello {name}, {request.path}"


@app.callback(Output("greeting", "title"), [Input("name", "value")])
def fail(name):
    raise ValueError(name)


def change(output):
    return client.post(
        "/_dash-update-component",
        json={
            "output": f"greeting.{output}",
            "outputs": {"id": "greeting", "property": output},
            "inputs": [{"id": "name", "property": "value", "value": "bob"}],
            "changedPropIds": ["name.value"],
        },
    )


client = app.server.test_client()
assert "_dash-config" in client.get("/").text
assert client.get("/_dash-layout").json["props"]["children"]
assert len(client.get("/_dash-dependencies").json) == 2
assert change("children").json["response"]["greeting"]["children"] == "hello bob, /_dash-update-component"
failed = change("title")
assert failed.status_code == 500
assert "ValueError: bob" in failed.text
# The traceback begins in the callback.
assert "dash/dash.py" not in failed.text
