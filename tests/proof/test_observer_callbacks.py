"""What the observer loads after torch is found, is loaded late, and harms no program."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import seed_init.proof.observer
from seed_init.hook import seeding
from seed_init.proof.observer import callbacks, core

ROOM = Path(seed_init.proof.observer.__file__).parent


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> "list[str]":
    """What the journal gets; nothing is registered or failed before."""
    lines: list[str] = []
    journal = SimpleNamespace(write=lambda event, **fields: lines.append(fields.get("what", event)))
    monkeypatch.setattr(core, "journal", journal, raising=False)
    monkeypatch.setattr(core, "_failed", set())
    monkeypatch.setattr(seeding, "after_import", {})
    monkeypatch.setattr(callbacks, "_at_end", [])
    return lines


def test_every_half_that_is_loaded_by_its_name_has_the_function() -> None:
    found = 0
    for file in (ROOM / "instruments").glob("*.py"):
        for name in re.findall(r"\{__name__\}_torch\.(\w+)", file.read_text()):
            half = file.with_name(f"{file.stem}_torch.py").read_text()
            assert f"\ndef {name}(" in half, f"{file.name}: {name}"
            found += 1
        for part, name in re.findall(r"\{CLOSELY\}\.(\w+)\.(\w+)", file.read_text()):
            assert f"\ndef {name}(" in (ROOM / "closely" / f"{part}.py").read_text()
            found += 1
    assert found > 10


def test_only_a_half_that_is_loaded_after_torch_imports_torch_at_its_top() -> None:
    """So that no instrument brings torch into a program that does not import it."""
    early = [ROOM / f"{name}.py" for name in ("lifecycle", "owner", "core", "callbacks")]
    early += [file for file in (ROOM / "instruments").glob("*.py") if "_torch" not in file.name]
    early += [ROOM / "closely/draws.py", ROOM / "closely/state.py", ROOM / "tensors/digests.py"]
    early += list((ROOM / "audit").glob("*.py"))
    for file in early:
        assert not re.search(r"^(import|from) torch\b", file.read_text(), re.MULTILINE), file


def test_a_half_that_cannot_be_loaded_is_reported_once(written: "list[str]") -> None:
    path = "seed_init.proof.observer.instruments.missing_torch.install"
    callbacks.after_import("torch", path)
    assert written == []
    for _ in range(2):
        for call in seeding.after_import["torch"]:
            call()
    [line] = written
    assert line.startswith(f"{path} failed with ModuleNotFoundError: ")


def test_a_function_of_a_half_that_was_never_loaded_is_not_called_at_the_end(
    written: "list[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    loaded = SimpleNamespace(finish=lambda: called.append("loaded"))
    monkeypatch.setitem(sys.modules, "loaded_half", loaded)  # type: ignore[arg-type]
    callbacks.at_end("loaded_half.finish")
    callbacks.at_end("missing_half.finish")
    callbacks.run_at_end()
    assert called == ["loaded"]
    assert written == []


@pytest.mark.torch
def test_an_optimizers_step_goes_on_where_the_hook_of_the_window_fails(
    written: "list[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from seed_init.proof.observer.instruments import window_torch

    hooks: list[Any] = []
    monkeypatch.setattr(window_torch, "register_optimizer_step_post_hook", hooks.append)
    monkeypatch.setattr(window_torch.optimizers, "watch", lambda: None)
    monkeypatch.setattr(torch.autograd, "backward", torch.autograd.backward)
    monkeypatch.setattr(core, "plan", {"window": {}})
    window_torch.install()
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    for _ in range(2):
        hooks[0](optimizer, (), {})
    [line] = written
    assert "failed with KeyError: 'optimizer'" in line
