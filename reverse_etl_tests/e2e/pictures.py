"""Takes the README's pictures: runs the demo in a terminal, opens the sandbox's page and Dagster's asset graph.

python -m reverse_etl_tests.e2e.pictures
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from reverse_etl.cli.demo_sandbox import DemoSandbox
from reverse_etl_tests.e2e.browser import opened
from reverse_etl_tests.e2e.terminal_picture import PICTURE, demo_shown, drawn
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.dagster_ui import free_port, running_ui

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"


def main() -> None:
    """Writes `docs/images/demo.svg`, `sandbox.png` and `asset-graph.png`."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        PICTURE.write_text(drawn(demo_shown(Path(name))), encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "syncs", folder / "syncs")
        url = f"http://127.0.0.1:{free_port()}"
        addresses = {"CUSTOMERIO_TRACK_URL": url, "CUSTOMERIO_APP_URL": url}
        project = Project(folder, addresses | {"REVERSE_ETL_HOME": ""})
        print(project.reverse_etl("demo").stdout)
        try:
            with opened(url, height=720) as page:
                page.locator("#table tbody tr").nth(3).click()
                page.locator("#details").get_by_text("Shop customers").first.wait_for()
                page.wait_for_timeout(1000)
                page.screenshot(path=IMAGES / "sandbox.png")
            with running_ui(folder, project.env()) as ui:
                graph = f"{ui}/assets/customers/customers_delivery?view=lineage&lineageScope=neighbors&lineageDepth=10"
                with opened(graph, width=1700, height=620) as page:
                    page.get_by_text("Materialized").first.wait_for()
                    page.wait_for_load_state("networkidle")
                    page.get_by_role("button", name="Hide navigation").click()
                    page.wait_for_timeout(1500)
                    page.get_by_text("Loading").first.wait_for(state="detached")
                    page.screenshot(path=IMAGES / "asset-graph.png")
        finally:
            DemoSandbox(**json.loads((folder / ".reverse_etl" / "demo_sandbox.json").read_text())).stop()


if __name__ == "__main__":
    main()
