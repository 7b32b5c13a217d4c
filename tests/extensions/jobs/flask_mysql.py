"""Configure the extension and read its connection in a request, without a server, so that the connection is refused."""

import socket

import pymysql
from flask import Flask
from flaskext.mysql import MySQL

mysql = MySQL()
app = Flask("shop")
mysql.init_app(app)
assert app.config["MYSQL_DATABASE_HOST"] == "localhost"
assert app.config["MYSQL_DATABASE_PORT"] == 3306
# A bound port without a listener refuses connections.
bound = socket.socket()
bound.bind(("127.0.0.1", 0))
app.config.update(MYSQL_DATABASE_HOST="127.0.0.1", MYSQL_DATABASE_PORT=bound.getsockname()[1])


@app.route("/")
def index():
    try:
        mysql.get_db()
    except pymysql.err.OperationalError as error:
        return str(error.args[0])


assert app.test_client().get("/").text == "2003"
bound.close()
