"""Read the user from a token, and refuse a request without one."""

from flask import Flask
from flask_cognito import CognitoAuth, cognito_auth_required, current_cognito_jwt, current_user

# The keys for real tokens are on a server of Amazon.
CognitoAuth.decode_token = lambda self, token: {"username": token}
app = Flask("shop")
app.config.update(
    COGNITO_REGION="region",
    COGNITO_USERPOOL_ID="pool",
    COGNITO_APP_CLIENT_ID="client",
    COGNITO_CHECK_TOKEN_EXPIRATION=False,
    COGNITO_JWT_HEADER_NAME="Authorization",
    COGNITO_JWT_HEADER_PREFIX="Bearer",
)


@CognitoAuth(app).identity_handler
def load_user(token):
    return f"user {token['username']}"


@app.route("/")
@cognito_auth_required
def index():
    return f"{current_user}, {current_cognito_jwt['username']}"


client = app.test_client()
assert client.get("/", headers={"Authorization": "Bearer ada"}).text == "user ada, ada"
assert client.get("/").status_code == 401
