"""What the notebook image's server takes from its environment, without the image."""

import hashlib
import os
from pathlib import Path

import pytest
from jupyter_server.auth import passwd

from seed_init.hook.refusals import Refusal
from seed_init.notebook import hosts, server


@pytest.mark.parametrize("algorithm", ["argon2", "sha1", "sha256", "sha512"])
def test_what_jupyters_passwd_prints_is_a_hash(algorithm: str) -> None:
    hashed = passwd("correct horse", algorithm=algorithm)
    assert server.read({"JUPYTER_HASHED_PASSWORD": f" {hashed}\n"}).hashed_password == hashed


@pytest.mark.parametrize(
    "text",
    [
        "correct horse",
        "a:b:c",
        "argon2:correct horse",
        # What is left of a hash after a shell or Compose has replaced $argon2id and the like.
        "argon2:=19=10240,t=10,p=8/abc/def",
        f"sha1:abc:{hashlib.sha1(b'x').hexdigest()[:-1]}",
        f"sha1:abc:{hashlib.sha1(b'x').hexdigest().upper()}",
        f"unknown:abc:{hashlib.sha1(b'x').hexdigest()}",
        "shake_128:abc:00",
    ],
)
def test_what_no_password_can_match_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        server.read({"JUPYTER_HASHED_PASSWORD": text})
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    "prefix",
    ["/", "/team", "team/", "/notebook/team/a.b-c_1", "/user/ann%40example.org/", "/~ann/"],
)
def test_a_path_is_a_prefix(prefix: str) -> None:
    assert server.read({"NB_PREFIX": f" {prefix} "}).base_url == prefix


@pytest.mark.parametrize(
    "prefix",
    ["//", "/a//b", "http://a/b", "/a b", "/a?b", "/a#b", "/a/../b", "/(a)", "/a+", "/a%2", "/ä"],
)
def test_what_is_no_plain_path_is_no_prefix(prefix: str) -> None:
    with pytest.raises(Refusal, match="NB_PREFIX="):
        server.read({"NB_PREFIX": prefix})


BLANKS = ["JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE", "JUPYTER_HASHED_PASSWORD", "JUPYTER_NO_AUTH",
          "JUPYTER_PORT", "NB_PREFIX", "JUPYTER_ALLOWED_HOSTS", "JUPYTERHUB_API_TOKEN"]  # fmt: skip


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_blank_counts_as_unset(blank: str) -> None:
    assert server.read(dict.fromkeys(BLANKS, blank)) == server.read({})
    # Beside a variable that excludes it, too.
    assert server.read({"JUPYTER_NO_AUTH": " 1 ", "JUPYTER_TOKEN": blank}).token == ""


def test_a_blank_token_is_hidden_from_jupyter(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE"):
        monkeypatch.setenv(name, " ")
    server.settings()
    assert not {"JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE"} & set(os.environ)


def test_white_space_around_a_token_is_no_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("of the file\n")
    assert server.read({"JUPYTER_TOKEN_FILE": f"{file} "}).token == "of the file"
    both = {"JUPYTER_TOKEN": " mine\n", "JUPYTER_TOKEN_FILE": str(file)}
    assert server.read(both).token == "mine"
    file.write_text("\n")
    assert server.read({"JUPYTER_TOKEN_FILE": str(file)}).token == ""  # refused later: no token


@pytest.mark.parametrize("token", ["two\nlines", "no text \udcff", "bell \a"])
def test_a_token_that_nobody_could_enter_is_refused_unseen(tmp_path: Path, token: str) -> None:
    with pytest.raises(Refusal, match=r"^JUPYTER_TOKEN is not accepted") as refused:
        server.read({"JUPYTER_TOKEN": token})
    assert token not in str(refused.value)
    file = tmp_path / "token"
    file.write_text("two\nlines\n")
    with pytest.raises(Refusal, match=r"^JUPYTER_TOKEN_FILE is not accepted"):
        server.read({"JUPYTER_TOKEN_FILE": str(file)})


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_token_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Refusal, match="cannot read JUPYTER_TOKEN_FILE="):
        server.read({"JUPYTER_TOKEN_FILE": str(file)})


@pytest.mark.parametrize(
    "given",
    [
        "https://a.example",
        "a.example:443",
        "a.example/team",
        "*.example",
        "a..b",
        ".",
        "größe.example",
    ],
)
def test_what_is_no_name_of_a_host_is_refused(given: str) -> None:
    with pytest.raises(Refusal, match="JUPYTER_ALLOWED_HOSTS="):
        server.read({"JUPYTER_ALLOWED_HOSTS": f"good.example,{given}"})


NAMES = ["localhost", "gateway.example.org", ".apps.example.org"]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "jupyter.localhost",
        "127.0.0.1",
        "10.1.2.3",
        "[::1]",
        "[2001:db8::1]",
        "Gateway.Example.org.",
        "ann.apps.example.org",
        "a.b.apps.example.org",
    ],
)
def test_addresses_and_names_that_are_allowed_are_the_servers_own(host: str) -> None:
    assert hosts.is_own(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "rebound.example",
        "apps.example.org",
        "evilapps.example.org",
        "gateway.example.org.rebound.example",
        "localhost.rebound.example",
        "notlocalhost",
        "127.0.0.1.rebound.example",
        "127.0.0.1,rebound.example",
        "10.1.2",
        "0x7f.1",
        "rebound.example@127.0.0.1",
    ],
)
def test_any_other_host_is_foreign(host: str) -> None:
    assert not hosts.is_own(host, NAMES)


def test_under_a_hub_the_hub_decides_path_and_authentication() -> None:
    found = server.read(
        {
            "JUPYTERHUB_API_TOKEN": "t",
            "NB_PREFIX": "/team",
            "JUPYTER_NO_AUTH": "1",
            "JUPYTER_HASHED_PASSWORD": passwd("correct horse", algorithm="sha1"),
        }
    )
    assert (found.base_url, found.hashed_password, found.token) == (None, None, None)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("no-such-host.invalid", False),
        ("a" * 70, False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert server.is_loopback(host) is loopback


@pytest.mark.parametrize(("given", "port"), [("", 8888), (" 80 ", 80), ("08888", 8888)])
def test_a_number_from_1_to_65535_is_a_port(given: str, port: int) -> None:
    assert server.read({"JUPYTER_PORT": given}).port == port


@pytest.mark.parametrize("given", ["abc", "-1", "0", "65536", "8888x", "８８８８", "1_0"])
def test_anything_else_is_none(given: str) -> None:
    with pytest.raises(Refusal, match="JUPYTER_PORT="):
        server.read({"JUPYTER_PORT": given})
