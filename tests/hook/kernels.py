"""Real kernels of a Python with the hook, and cells run in them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from harness.processes import environment_of
from harness.repository import REPOSITORY

ANSWER_S = 60


@dataclass
class Ran:
    """What came of a cell.

    Attributes:
        stdout: what it printed.
        stderr: likewise.
        shown: MIME type to content of each output that was displayed, in order.
        error: name and value of the exception that ended it.
        traceback: of that exception, as a page shows it.
    """

    stdout: str = ""
    stderr: str = ""
    shown: list[dict[str, str]] = field(default_factory=list)
    error: tuple[str, str] | None = None
    traceback: str = ""


class Kernel:
    """A running kernel.

    Args:
        manager: that started it.
        client: connected to it.
    """

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def run(self, code: str, **options: Any) -> Ran:
        """Run a cell to its end, whatever comes of it; `options` are those of `execute`."""
        ran = Ran()

        def gather(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                setattr(ran, content["name"], getattr(ran, content["name"]) + content["text"])
            elif message["msg_type"] in ("execute_result", "display_data"):
                ran.shown.append(content["data"])
            elif message["msg_type"] == "error":
                ran.traceback = "\n".join(content["traceback"])

        reply = self.client.execute_interactive(
            code, timeout=ANSWER_S, output_hook=gather, stdin_hook=lambda _: None, **options
        )
        if reply["content"]["status"] == "error":
            ran.error = reply["content"]["ename"], reply["content"]["evalue"]
        return ran

    def printed(self, code: str, **options: Any) -> str:
        """What a cell prints; it must end well."""
        ran = self.run(code, **options)
        assert ran.error is None, f"{ran.error}\n{ran.stderr}\n{ran.traceback}"
        return ran.stdout.strip()

    def restart(self) -> None:
        """As from a page's menu."""
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=ANSWER_S)


@contextmanager
def kernel(python: Path, home: Path, env: Mapping[str, str], *options: str) -> Iterator[Kernel]:
    """A kernel of `python`, whose prefix has the image's IPython configuration.

    Args:
        python: see the fixture `kernels`.
        home: an empty directory.
        env: on top of the minimal environment of `support.run`.
        options: of ipykernel.
    """
    variables = {"HOME": str(home), "IPYTHONDIR": str(home / "ipython"), **env}
    manager = KernelManager(transport="ipc", connection_file=str(home / "kernel.json"))
    manager._kernel_spec = KernelSpec(
        argv=[str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}", *options]
    )
    manager.start_kernel(
        env=environment_of(python, variables), cwd=str(home), stderr=(home / "log").open("w")
    )
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=ANSWER_S)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def configure_ipython(prefix: Path) -> None:
    """Give a prefix the image's system-wide IPython configuration (IPython.paths)."""
    folder = prefix / "etc/ipython"
    folder.mkdir(parents=True)
    folder.joinpath("ipython_config.py").write_text(
        (REPOSITORY / "image/ipython_config.py").read_text()
    )
