"""Open a connection in each request and close it at its end. The driver, which needs a C library, is replaced."""

import sys
from types import ModuleType

from flask import Flask

closed = []


class Connection:
    def __init__(self, **options):
        self.options = options

    def close(self):
        closed.append(self)


driver, cursors = ModuleType("MySQLdb"), ModuleType("MySQLdb.cursors")
driver.connect, driver.cursors = Connection, cursors
sys.modules.update({"MySQLdb": driver, "MySQLdb.cursors": cursors})

from flask_mysqldb import MySQL  # noqa: E402

app = Flask("shop")
app.config["MYSQL_DB"] = "shop"
mysql = MySQL(app)
used = []


@app.route("/")
def index():
    used.append(mysql.connection)
    assert mysql.connection is used[-1]
    assert mysql.connection not in closed
    return mysql.connection.options["db"]


client = app.test_client()
assert [client.get("/").text for _ in range(2)] == ["shop", "shop"]
assert used[0] is not used[1]
assert closed == used
