"""Blocks that the tests of the site do not try themselves, and where they are tried; the reason where nowhere.

The one list of both. An entry is a page, or a pattern of pages; a language; and a path in `reverse_etl_tests`, or a
sentence.
"""

from __future__ import annotations

from typing import Final

ELSEWHERE: Final = (
    ("README.md", "console", "e2e/test_readme.py"),
    ("docs/start.md", "console", "e2e/test_readme.py, e2e/test_own_database.py"),
    ("docs/start.md", "sh", "Installs from a package index; that the wheel works alone: e2e/test_readme.py"),
    ("docs/alerts.md", "json", "notify/test_docs.py"),
    ("docs/alerts.md", "python", "notify/test_docs.py"),
    ("docs/architecture.md", "", "test_architecture.py"),
    ("docs/changes.md", "console", "Show what a run's own numbers and ids are: cli/test_plan.py, cli/test_undo.py"),
    ("docs/changes.md", "sql", "sources/test_postgres.py"),
    ("docs/dagster.md", "console", "e2e/test_readme.py"),
    ("docs/dagster.md", "python", "defs/test_dagster_page.py"),
    ("docs/dagster.md", "yaml", "defs/test_dagster_page.py"),
    ("docs/databases/*.md", "sql", "sources/test_house_rules.py"),
    ("docs/databases/bigquery.md", "sh", "Google's own command, which asks Google's servers."),
    ("docs/databases/duckdb.md", "sh", "Needs a group of the reader's own."),
    ("docs/databases/sqlite.md", "sh", "Needs a group of the reader's own."),
    (
        "docs/deploy.md",
        "console",
        "Installs on a machine: e2e/test_deployment.py, e2e/test_backup.py, deploy/test_proxy.py",
    ),
    ("docs/deploy.md", "sh", "Names a bucket of the reader's own: e2e/test_machines.py has one of S3's"),
    ("docs/deploy.md", "sql", "e2e/test_deployment.py"),
    ("docs/deploy.md", "yaml", "e2e/test_kubernetes.py, deploy/test_compose.py, deploy/test_instances.py"),
    ("docs/destinations/*.md", "sql", "destinations/sql/pages.py"),
    ("docs/destinations/tables.md", "sh", "destinations/sql/steps.py"),
    ("docs/dictionary.md", "console", "cli/test_dictionary.py"),
    ("docs/dictionary.md", "text", "cli/test_dictionary.py"),
    ("docs/events.md", "console", "Ask a person, with a run's own numbers: cli/test_backfill.py"),
    ("docs/monitoring.md", "console", "One serves until it is ended: cli/test_metrics.py"),
    ("docs/monitoring.md", "sql", "state/test_views.py"),
    ("docs/reference/commands.md", "console", "reference/test_reference.py"),
    ("docs/reference/errors.md", "text", "reference/test_reference.py"),
    (
        "docs/recipes/after-dbt.md",
        "console",
        "Reads the table that the reader's own manifest names: defs/test_upstream_keys.py",
    ),
    ("docs/sandbox/*.md", "json", "sandbox/test_documentation.py"),
    ("docs/sandbox/README.md", "console", "Serve until they are ended: sandbox/test_documentation.py"),
    ("docs/shaping.md", "javascript", "shaping/test_page.py"),
    ("docs/shaping.md", "python", "shaping/test_page.py"),
    ("docs/testing.md", "console", "cli/test_testing.py"),
    ("docs/ui.md", "console", "Serves until it is ended: cli/test_syncs_page.py"),
)
