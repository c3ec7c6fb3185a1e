"""``undo`` on the screen: what is taken back and what is not, a question, a paused sync."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from reverse_etl_tests.project import SHOP, Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox


def test_a_run_is_taken_back(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Shown first, sent with `--yes`; without it, and without a terminal, not sent; one that stops is continued."""
    shop = Project(tmp_path, {"COLUMNS": "80"})
    fill(tmp_path / "shop.db", [(str(n), f"u{n}@example.com", "free") for n in range(3)])
    shop.connections(SHOP, sandbox.url)
    checked = "changes: {by: compare, keep: 30d}\nchecks: [{not_null: email}, {row_count: {min: 1}}]\n"
    shop.write("customers.yaml", people("SELECT id, email, plan FROM customers", checked))
    assert 0 == shop.reverse_etl("run", "customers").returncode
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("UPDATE customers SET plan = 'wrong'")
        database.execute("INSERT INTO customers (id, email, plan) VALUES ('9', 'new@example.com', 'pro')")
    wrong = json.loads(shop.reverse_etl("run", "customers", "--json").stdout)["run_id"]
    shown = shop.reverse_etl("undo", wrong[:8], "--dry-run")
    assert [
        f"customers, run {wrong[:8]}: 3 rows to take back: plan 3",
        "  1 row that the run added: left in Customer.io",
        "  Not taken back: memberships of segments, campaigns and messages that the",
        "  values started.",
        "Nothing was sent.",
    ] == shown.stdout.splitlines()
    found = json.loads(shop.reverse_etl("undo", wrong[:8], "--dry-run", "--json").stdout)
    assert {"rows": 3, "attributes": {"plan": 3}, "added": 1}.items() <= found["undone"].items()
    asked = shop.reverse_etl("undo", wrong[:8])
    assert (2, True) == (asked.returncode, "--yes" in asked.stderr)
    assert ["pro", "wrong", "wrong", "wrong"] == sorted(each["attributes"]["plan"] for each in sandbox.people())
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"status": 401}}])
    stopped = shop.reverse_etl("undo", wrong[:8], "--yes")
    sandbox.clear_faults()
    said = " ".join(stopped.stderr.split())
    rest = re.search(
        r"Not everything was taken back\. Send the rest of it: reverse-etl (run customers --plan \S+)\.", said
    )
    assert rest is not None, stopped.stderr
    assert 5 == stopped.returncode
    done = shop.reverse_etl(*rest[1].split(), "--json")
    assert (0, 3, "undo") == (done.returncode, (sent := json.loads(done.stdout))["rows"]["delivered"], sent["reads"])
    assert "customers is paused" in said
    assert "warning" not in said + done.stderr
    assert ["free", "free", "free", "pro"] == sorted(each["attributes"]["plan"] for each in sandbox.people())
    assert "paused" in shop.reverse_etl("status").stdout
    assert 2 == shop.reverse_etl("undo", "00000000").returncode
