"""A running notebook server, as a browser on the host sees it."""

import json
import re
import time
import uuid
from dataclasses import dataclass

import requests
import websocket
from containers import DRAWS, Container

from harness.waiting import until

READY_S = 60.0
ANSWER_S = 30.0

ALLOWED = [
    # jupyter_server 2.21 asks tornado 6.6 for a timeout that tornado shortens, and is told so.
    r"websocket_ping_timeout \(90000\) cannot be longer",
]
"""Lines of the server's log that are upstream's and mean nothing to a user."""


@dataclass
class Server:
    """A running notebook service, as a browser on the host sees it.

    Attributes:
        container: where it runs.
        port: on the host.
        token: what it lets in; "" where it lets in anybody.
        prefix: the path that everything is below, without a slash at the end.
        xsrf: what a page without a token has to send along.
    """

    container: Container
    port: int
    token: str = ""
    prefix: str = ""
    xsrf: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    @property
    def headers(self) -> dict[str, str]:
        if self.token:
            return {"Authorization": f"token {self.token}"}
        return {"X-XSRFToken": self.xsrf, "Cookie": f"_xsrf={self.xsrf}"} if self.xsrf else {}

    def ask(self, method: str, path: str, **options: object) -> requests.Response:
        answer = requests.request(
            method,
            self.url + path,
            headers=self.headers,
            timeout=ANSWER_S,
            **options,
        )
        answer.raise_for_status()
        return answer

    def start_kernel(self, name: str = "python3") -> str:
        return self.ask("POST", "/api/kernels", json={"name": name}).json()["id"]

    def save(self, path: str, text: str) -> None:
        """Save a file as the editor does; `path` is below the folder that the browser shows."""
        model = {"type": "file", "format": "text", "content": text}
        self.ask("PUT", f"/api/contents/{path}", json=model)

    def run_cell(self, kernel: str, code: str) -> dict[str, str]:
        """Run code as a cell; what it wrote, by the name of the stream."""
        written = {"stdout": "", "stderr": ""}
        for reply in self.request(kernel, "shell", "execute_request", code=code, silent=False):
            content = reply["content"]
            if reply["msg_type"] == "stream":
                written[content["name"]] += content["text"]
            assert reply["msg_type"] != "error", "\n".join(content["traceback"])
        return written

    def request(self, kernel: str, channel: str, kind: str, **content: object) -> list[dict]:
        """Send one message to a kernel; all its answers, up to the reply and the idle status."""
        session, message = uuid.uuid4().hex, uuid.uuid4().hex
        channels = websocket.create_connection(
            f"ws{self.url.removeprefix('http')}/api/kernels/{kernel}/channels?session_id={session}",
            header=self.headers,
            timeout=ANSWER_S,
        )
        header = {
            "msg_id": message,
            "msg_type": kind,
            "session": session,
            "username": "",
            "date": "",
            "version": "5.4",
        }
        request = {
            "channel": channel,
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "buffers": [],
        }
        answers: list[dict] = []
        deadline = time.monotonic() + ANSWER_S
        try:
            channels.send(json.dumps(request))
            while not complete(answers):
                # Pings too: the server's would put the socket's own timeout off for ever.
                opcode, data = channels.recv_data(control_frame=True)
                assert time.monotonic() < deadline, f"{kind} has only {answers} for an answer"
                if opcode == websocket.ABNF.OPCODE_TEXT:
                    answer = json.loads(data)
                    if answer["parent_header"].get("msg_id") == message:
                        answers.append(answer)
        finally:
            channels.close()
        return answers

    def draws(self, kernel: str) -> list[float]:
        numbers: list[float] = json.loads(self.run_cell(kernel, DRAWS)["stdout"])
        return numbers

    def log(self) -> str:
        logs = self.container.logs()
        return logs.stdout + logs.stderr

    def wait_for_link(self) -> "Server":
        found = until(
            "a link in the log", lambda: link(self.log(), self.port, self.prefix), READY_S
        )
        self.token = found[1]
        return self.wait_for_answer()

    def wait_for_answer(self) -> "Server":
        # The engine's port forwarding may come up a moment after the server.
        until("an answer on the host", self.answers, READY_S)
        return self

    def wait_for_page(self) -> "Server":
        """Wait, and open the page, as a browser does before it asks for anything else."""
        self.wait_for_answer()
        self.xsrf = self.ask("GET", "/lab").cookies.get("_xsrf", "")
        return self

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/api", timeout=ANSWER_S).ok
        except requests.ConnectionError:
            return False


def complete(answers: list[dict]) -> bool:
    """True where a kernel has said all: the two last messages come in either order."""
    replied = any(answer["msg_type"].endswith("_reply") for answer in answers)
    idle = any(answer["content"].get("execution_state") == "idle" for answer in answers)
    return replied and idle


def link(log: str, port: int, prefix: str = "") -> re.Match[str] | None:
    return re.search(rf"http://127\.0\.0\.1:{port}{prefix}/lab\?token=([0-9a-f]+)", log)
