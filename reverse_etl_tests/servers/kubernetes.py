"""The part of Kubernetes' API that runs need: Jobs, each of whose pods is a process of this machine.

A pod has its container's variables, from Secrets and ConfigMaps too, its mounted ConfigMaps, and, for root on Linux, a
PID namespace of its own. Jobs must be what Kubernetes' schema says; images, rights and resources are taken as they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from reverse_etl_tests.servers.workers import APART, alone

Answer = tuple[int, Any]
_RELEASE = "1.33"
_JOBS = re.compile(r"/apis/batch/v1/namespaces/[^/]+/jobs(?:/([^/]+?)(?:/status)?)?")
_PODS = re.compile(r"/api/v1/namespaces/[^/]+/pods(?:/([^/]+?)(/log)?)?")


@dataclass(slots=True)
class Cluster:
    """A cluster that has one node.

    Attributes:
        secrets: By name, their keys and values; ``config_maps`` likewise.
        kubeconfig: The file by which clients find it.
        jobs: By name, as they were asked for.
        lost: Jobs whose node went down: Kubernetes does not know it yet.
    """

    folder: Path
    secrets: dict[str, dict[str, str]]
    config_maps: dict[str, dict[str, str]]
    kubeconfig: Path
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    _pods: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def job_of(self, run_id: str) -> str:
        """The job that executes a run of Dagster's."""
        labels = {name: job["metadata"]["labels"].get("dagster/run-id") for name, job in self.jobs.items()}
        (found,) = [name for name, labelled in labels.items() if labelled == run_id]
        return found

    def container_of(self, run_id: str) -> dict[str, Any]:
        """The container of a run, as it was asked for."""
        (found,) = self.jobs[self.job_of(run_id)]["spec"]["template"]["spec"]["containers"]
        return dict(found)

    def log_of(self, run_id: str) -> str:
        """What a run's container printed."""
        return (self.folder / f"{self.job_of(run_id)}.log").read_text()

    def lose(self, run_id: str) -> None:
        """The run's node goes down; the job stays active."""
        self.lost.add(self.job_of(run_id))
        self._kill(self.job_of(run_id))

    def evict(self, run_id: str) -> None:
        """The run's pod is deleted to free its node; the job has failed, as ``backoffLimit`` is 0."""
        self._kill(self.job_of(run_id))

    def stop(self) -> None:
        """Ends every pod."""
        for name in self._pods:
            self._kill(name)

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        """What the API answers: a status, and JSON or text."""
        if path.rstrip("/") == "/version":
            return 200, {"major": "1", "minor": "31", "gitVersion": "v1.31.0"}
        if (match := _JOBS.fullmatch(path)) is not None:
            return self._jobs(method, match[1], body)
        if (match := _PODS.fullmatch(path)) is not None:
            return self._list_pods(query) if match[1] is None else self._one_pod(match[1], logged=bool(match[2]))
        if path.endswith("/events"):
            return 200, {"kind": "EventList", "apiVersion": "v1", "items": []}
        return _failure(404, "NotFound")

    def _jobs(self, method: str, name: str | None, body: Any) -> Answer:
        if name is None:
            return self._create(body) if method == "POST" else _failure(405, "MethodNotAllowed")
        if name not in self.jobs:
            return _failure(404, "NotFound")
        if method == "DELETE":
            self._terminate(name)
            return 200, {"kind": "Status", "status": "Success"}
        return 200, self._as_it_is(name)

    def _create(self, body: dict[str, Any]) -> Answer:
        name = body["metadata"]["name"]
        if name in self.jobs:
            return _failure(409, "AlreadyExists")
        # Importing it takes a second, and whoever collects the tests imports this module.
        import kubernetes_validate

        try:
            kubernetes_validate.validate({"kind": "Job", "apiVersion": "batch/v1", **body}, _RELEASE, strict=True)
        except kubernetes_validate.ValidationError as error:
            return _failure(422, f"Invalid: {error.message}")
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body["metadata"] |= {"creationTimestamp": made, "uid": name}
        self.jobs[name] = {"kind": "Job", "apiVersion": "batch/v1", **body}
        self._start(name, body["spec"]["template"]["spec"])
        return 201, self._as_it_is(name)

    def _start(self, name: str, spec: dict[str, Any]) -> None:
        (container,) = spec["containers"]
        maps = {each["name"]: each["configMap"]["name"] for each in spec.get("volumes") or [] if each.get("configMap")}
        for mount in container.get("volumeMounts") or []:
            for file, text in self.config_maps.get(maps.get(mount["name"], ""), {}).items():
                path = Path(mount["mountPath"]) if mount.get("subPath") else Path(mount["mountPath"]) / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        command = [*(container.get("command") or []), *(container.get("args") or [])]
        with (self.folder / f"{name}.log").open("wb") as log:
            self._pods[name] = subprocess.Popen(
                [*(APART if alone() else ()), *command],
                env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **self._environment(container)},
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _environment(self, container: dict[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for source in container.get("envFrom") or []:
            for kind, kept in (("secretRef", self.secrets), ("configMapRef", self.config_maps)):
                if source.get(kind):
                    found |= kept[source[kind]["name"]]
        for each in container.get("env") or []:
            secret = (each.get("valueFrom") or {}).get("secretKeyRef")
            found[each["name"]] = self.secrets[secret["name"]][secret["key"]] if secret else each.get("value") or ""
        return found

    def _as_it_is(self, name: str) -> dict[str, Any]:
        code = self._pods[name].poll()
        ended = {"succeeded": 1} if code == 0 else {"failed": 1}
        started = {"startTime": self.jobs[name]["metadata"]["creationTimestamp"]}
        return self.jobs[name] | {"status": started | ({"active": 1} if code is None or name in self.lost else ended)}

    def _list_pods(self, query: dict[str, list[str]]) -> Answer:
        wanted = query.get("labelSelector", [""])[0].partition("job-name=")[2].split(",")[0]
        items = [
            {
                "kind": "Pod",
                "apiVersion": "v1",
                "metadata": {"name": f"{name}-x", "namespace": "default", "labels": {"job-name": name}},
                "spec": {"containers": job["spec"]["template"]["spec"]["containers"]},
                "status": {"phase": "Running"},
            }
            for name, job in self.jobs.items()
            if wanted in ("", name)
        ]
        return 200, {"kind": "PodList", "apiVersion": "v1", "items": items}

    def _one_pod(self, name: str, *, logged: bool) -> Answer:
        job = name.removesuffix("-x")
        return (200, (self.folder / f"{job}.log").read_text()[-2_000:]) if logged else (200, {"kind": "Pod"})

    def _terminate(self, name: str) -> None:
        # The kubelet sends SIGTERM to the container's first process, which is inside of the namespace.
        outer = str(self._pods[name].pid)
        shown = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", outer], capture_output=True, text=True, check=False
        ).stdout
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(shown.split()[0]) if alone() and shown.split() else int(outer), signal.SIGTERM)

    def _kill(self, name: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pods[name].pid, signal.SIGKILL)
        self._pods[name].wait(10)


@contextlib.contextmanager
def running_cluster(
    folder: Path, secrets: dict[str, dict[str, str]], config_maps: dict[str, dict[str, str]]
) -> Iterator[Cluster]:
    """A cluster on the loopback address for the length of the block; its pods' files are in a folder."""
    cluster = Cluster(folder, secrets, config_maps, folder / "kubeconfig.yaml")

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length") or 0))
            url = urlsplit(self.path)
            body = json.loads(text) if text else None
            status, found = cluster.answer(self.command, url.path, parse_qs(url.query), body)
            content = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(status)
            self.send_header("content-type", "text/plain" if isinstance(found, str) else "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the inherited names

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the inherited name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    cluster.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(f"http://127.0.0.1:{server.server_port}")))
    try:
        yield cluster
    finally:
        cluster.stop()
        server.shutdown()
        server.server_close()
        thread.join()


def _failure(code: int, reason: str) -> Answer:
    return code, {"kind": "Status", "status": "Failure", "reason": reason, "code": code}


def _kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {"server": url}}],
        "users": [{"name": "tests", "user": {"token": "tests"}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "current-context": "tests",
    }
