"""What `wandb sync` uploads of a run in several attempts: one history that goes on."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from rnncodec.training.wandb_logger import finish, wandb_logger

HISTORY = "wandb-history.jsonl"


class Server(ThreadingHTTPServer):
    """As much of a W&B server as `wandb sync` needs: it keeps a run's history by line number."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.history: dict[int, dict[str, Any]] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def take(self, files: dict[str, Any]) -> None:
        """Write a chunk of the history where its sender says, over what may be there."""
        if chunk := files.get(HISTORY):
            lines = map(json.loads, chunk["content"])
            self.history |= dict(enumerate(lines, start=chunk["offset"]))

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Who asks, how far the run is, and where its files go to."""
        entity = {"id": "1", "name": "me"}
        bucket: dict[str, Any] = {
            "id": "1",
            "name": "run",
            "config": "{}",
            "project": {"id": "1", "name": "test", "entity": entity},
        }
        if "upsertBucket" in query:
            return {"upsertBucket": {"bucket": bucket, "inserted": not self.history}}
        if "RunResumeStatus" in query:
            last = json.dumps(self.history[max(self.history)]) if self.history else ""
            bucket |= {
                "historyLineCount": len(self.history),
                "historyTail": json.dumps([last]),
                "eventsLineCount": 0,
                "eventsTail": "[]",
                "logLineCount": 0,
                "summaryMetrics": "{}",
                "wandbConfig": '{"t": 1}',
                "tags": [],
            }
            return {"model": {"id": "1", "name": "test", "entity": entity}
                    | {"bucket": bucket if self.history else None}}  # fmt: skip
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": self.url} for name in variables["files"]]
            return {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}
        if "viewer" in query.lower():
            return {"viewer": {"id": "1", "entity": "me", "username": "me", "flags": "{}"}}
        return {}


class Handler(BaseHTTPRequestHandler):
    """Hands requests to the server."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.reply({})

    def do_PUT(self) -> None:
        self.body()
        self.reply({})

    def do_POST(self) -> None:
        body = self.body()
        if self.path.endswith("/graphql"):
            asked = json.loads(body)
            self.reply({"data": self.server.answer(asked["query"], asked["variables"])})
            return
        if self.path.endswith("/file_stream"):
            self.server.take(json.loads(body).get("files") or {})
        self.reply({})

    def body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def reply(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_attempts_are_uploaded_one_after_another(tmp_path: Path, server: Server) -> None:
    try:
        for steps in (range(3), range(3, 5)):
            logger = wandb_logger(save_dir=str(tmp_path / "run"), project="test", mode="offline")
            for step in steps:
                logger.log_metrics({"train/loss": 10.0 + step}, step=step)
            finish()
    finally:
        finish()
    attempts = sorted((tmp_path / "run/wandb").glob("offline-run-*"), reverse=True)
    assert len(attempts) == 2
    environment = {name: value for name, value in os.environ.items() if "WANDB" not in name}
    environment |= {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": "0" * 40, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", "--yes", *map(str, attempts)],
        env=environment,
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    rows = [server.history[line] for line in sorted(server.history)]
    losses = [(row["trainer/global_step"], row["train/loss"]) for row in rows]
    assert losses == [(step, 10.0 + step) for step in range(5)]
    assert [row["_step"] for row in rows] == list(range(5))
