"""What is a secret in a command line or a text, and what is none."""

import ast
import shlex
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from seed_init.proof.redaction import redaction, secret_names

# Put together here, so that no scanner of repositories takes them for real ones.
S = "Zq7xW"
LONG = S * 8
HEX = "0badc0de" * 5
UPPER = "Q7ZX" * 5
MARKS = (S, "0badc0de", "Q7ZX")

NAMED: list[list[str]] = [
    # An option, its name as people write it, its value behind it or after a sign.
    ["--password", S],
    [f"--password={S}"],
    ["--password", f"-{S}"],
    ["--password", f"--{S}"],
    ["--password", "two", S],
    [f"--password=two {S}"],
    [f"--password=ab&{S}"],
    [f"--password=a\n{S}"],
    ["--password=", S],
    [f"--password:{S}"],
    [f"/password:{S}"],
    [f"-password={S}"],
    [f"--dbpassword={S}"],
    ["--db-passwd", S],
    ["--user-pwd", S],
    ["--pw", S],
    ["--rootpw", S],
    ["—password", S],
    ["--kv", "password", S],
    [f"Driver=x;UID=u;PWD={S}"],
    ["--2fa-code", S],
    [f"trainer.logger={{wandb: {{api_key: {S}}}}}"],
    [f"- token: {S}"],
    [f"secret: |\n  {S}"],
    [f"jdbc:mysql://h/db?user=u&password={S}"],
    [f"mongodb+srv://u:{S}@cluster.example.net"],
    [f'Data Source=x;Password="{S}"'],
    ["bash", "-c", f"TOKEN='it'\\''s {S}' python"],
    ["bash", "-c", f"python - <<E\npassword='x'\n{S}\nE"],
    ["--passphrase", f"correct {S}"],
    ["--dbpass", S],
    ["--PassWord", S],
    ["--tOKEN", S],
    ["--token", S],
    ["--hftoken", S],
    ["--apitoken", S],
    ["--use_auth_token", S],
    [f"--bearertoken={S}"],
    ["--hub-token", S, "--push_to_hub"],
    ["--token-x", S],
    ["--token", "--password", S],
    ["--tokens", f"{S},{S}"],
    ["--secretkey", S],
    ["--client-secret", S],
    ["--accesskey", S],
    ["--access_key_id", S],
    ["--apiKey", S],
    [f"--APIKEY={S}"],
    ["--api-keys", S, S],
    ["--wandb_key", S],
    ["--key", S],
    ["--auth", f"me:{S}"],
    ["--oauth2-bearer", S],
    ["--credential", S],
    ["--cookie", f"a={S}"],
    ["--session-id", S],
    ["--pat", S],
    ["--otp", "Zq7xW"],
    ["--connection-string", f"Server=x;Pwd={S}"],
    # Variables, and parameters of Hydra and others.
    [f"PGPASSWORD={S}"],
    [f"HF_TOKEN={S}"],
    [f"AWS_SECRET_ACCESS_KEY={S}"],
    [f"MYSQL_PWD={S}"],
    [f"GITHUB_PAT={S}"],
    ["env", f"DB_PASSWORD=two {S}", "python"],
    ["docker", "run", "-e", f"WANDB_API_KEY={S}", "image"],
    ["docker", "run", f"--env=WANDB_API_KEY={S}", "image"],
    [f"-eWANDB_API_KEY={S}"],
    [f"wandb.api_key={S}"],
    [f"+db.password={S}"],
    [f"-Dspring.datasource.password={S}"],
    ["--set", f"auth.password={S}"],
    ["git", "config", "user.password", S],
    ["aws", "configure", "set", "aws_secret_access_key", S],
    # Headers.
    [f"--header=Authorization: Token {S}"],
    ["-H", f"Authorization: Bearer {S}"],
    ["-H", f"authorization:Basic {S}=="],
    ["-H", f"X-Api-Key: {S}"],
    ["-H", f"Cookie: session={S}"],
    ["-H", "Authorization:", "Token", S],
    [f"-HPRIVATE-TOKEN: {S}"],
    ["--header", f'"Proxy-Authorization": "Digest {S}"'],
    ["Bearer", S],
    # JSON, XML, code, connection strings, queries.
    [f'{{"token":["{S}"]}}'],
    [f'{{"a": {{"password" : "{S}"}}, "lr": 0.1}}'],
    [f'--json={{"api_key":"{S}"}}'],
    [f'{{\\"token\\":\\"{S}\\"}}'],
    [f"{{'client_secret': '{S}'}}"],
    [f"<password>{S}</password>"],
    [f"user=a&password={S}"],
    [f"password%3D{S}"],
    [f"host=h password={S} dbname=d"],
    [f"Server=s;Password={S};Port=1"],
    [f"AccountName=a;AccountKey={S}==;EndpointSuffix=core"],
    [f"machine h login u password {S}"],
    ["python", "-c", f"import wandb; wandb.login(key='{S}')"],
    ["python", "-c", f"import os\nos.environ['HF_TOKEN'] = '{S}'"],
    ["python", "-c", f"login('{S}')"],
    ["sh", "-c", f"HF_TOKEN={S} python train.py"],
    ["bash", "-lc", f'export PASSWORD="two {S}"; python train.py --lr 3'],
    ["bash", "-c", f"PASSWORD=$(echo {S}) python train.py"],
    ["bash", "-c", f"PASSWORD = {S}"],
    ["bash", "x.sh", "&&", "python", "-c", f"a.b['HF_TOKEN'] = '{S}'"],
    ["password", "=", S],
    ["bash", "-c", f"train --password {S}; echo"],
    # Users of URLs.
    [f"https://me:{S}@example.org/a.git"],
    [f"https://{S}@example.org/a.git"],
    [f"postgres://u:p/{S}@h/db"],
    [f"postgres://u:p@{S}@h/db"],
    [f"postgres://u:p?{S}#@h/db"],
    [f"--dsn=postgres://u:two {S}@h/db"],
    [f"p@{S}@h"],
    [f"me:{S}@db.example.org:5432/x"],
    [f"redis://:{S}@localhost:6379/0"],
    [f"git+https://{S}:x-oauth@github.com/a/b@v1"],
    [f"https://a/b?sig={S}&x=1"],
    [f"https://a/b?X-Amz-Signature={S}"],
    [f"https://a/b?access_token={S}#c"],
    # Options of one letter that programs take them with.
    ["curl", "-u", f"me:{S}", "https://a"],
    ["curl", f"-ume:{S}", "https://a"],
    ["curl", "--user", f"me:{S}"],
    ["sshpass", "-p", S, "ssh", "h"],
    ["mysql", f"-p{S}"],
    ["redis-cli", "-a", S],
    ["docker", "login", "-p", S],
    ["wandb", "login", HEX],
    # Arguments of a function of Python's.
    ["-c", f"os.environ.setdefault('HF_TOKEN', '{S}')"],
    ["-c", f'os.putenv("DB_PASSWORD","{S}")'],
]

KNOWN = [
    *(f"hf_{LONG}", f"ghp_{LONG}", f"gho_{LONG}", f"ghs_{LONG}", f"github_pat_{LONG}"),
    *(f"glpat-{LONG}", f"npm_{LONG}", f"pypi-AgEIcHlwaS5vcmc{LONG}", f"dckr_pat_{LONG}"),
    *(f"AKIA{UPPER}", f"ASIA{UPPER}", f"AIza{LONG}", f"ya29.{LONG}", f"GOCSPX-{LONG}"),
    *(f"dop_v1_{HEX}", f"hvs.{LONG}", f"dapi{HEX[:32]}", f"nvapi-{LONG}", f"tskey-auth-{LONG}"),
    *(f"sk-{LONG}", f"sk-proj-{LONG}", f"sk-ant-api03-{LONG}", f"gsk_{LONG}", f"r8_{LONG}"),
    *(f"sk_live_{LONG}", f"rk_live_{LONG}", f"whsec_{LONG}", f"sq0csp-{LONG}"),
    *(f"SG.{LONG[:22]}.{LONG}", f"xoxb-1234-{S}", f"xapp-1-{LONG}", f"SK{HEX[:32]}"),
    *(f"{HEX[:32]}-us12", f"key-{HEX[:32]}", f"123456789:{LONG[:35]}", f"lin_api_{LONG}"),
    *(f"eyJhbGciOiJIUzI1NiJ9.{S}.{S}", f"eyJhcGlfYWRkcmVzcyI6{LONG}", f"glsa_{LONG}"),
    f"https://hooks.slack.com/services/T{S}/B{S}/{S}",
    f"https://discord.com/api/webhooks/1/{S}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{S}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\\n{S}",
    f"-----BEGIN OPENSSH PRIVATE KEY----- {S}",
]


def form(words: list[str]) -> str:
    return shlex.join(words).replace(S, "S")[:60]


@pytest.mark.parametrize("given", NAMED, ids=form)
def test_all_that_follows_the_name_of_a_secret_is_left_out(given: list[str]) -> None:
    shown = redaction.words(["python", "train.py", *given])
    assert [mark for mark in MARKS if mark in shlex.join(shown)] == [], shown
    assert shown[:2] == ["python", "train.py"]
    assert redaction.words(shown) == shown


@pytest.mark.parametrize("given", KNOWN, ids=lambda given: given[:12])
def test_a_known_form_is_left_out_without_any_name(given: str) -> None:
    for text in (given, f"x={given}", f"/data/{given}/y", f"said '{given}' twice"):
        assert [mark for mark in MARKS if mark in redaction.text(text)] == []
    assert redaction.text(redaction.text(given)) == redaction.text(given)


def test_what_is_said_of_a_secret_in_a_text_is_left_out() -> None:
    for line, shown in (
        (f"error: unrecognized arguments: --lr 1 --password two {S}", "--lr 1 --password"),
        (f"login failed: password={S} user=x", "login failed: password="),
        (f"    token = '{S}'", "token = "),
        (f"urllib.error: https://u:{S}@h/x was not found", "@h/x was not found"),
    ):
        text = redaction.text(line)
        assert S not in text and shown in text


def test_what_is_no_secret_stays() -> None:
    for words in (
        ["--use-auth-token", "True", "--lr", "3"],
        ["--token", "--verbose", "x"],
        ["--password", "x", "--lr", "3"],
        ["--max-tokens", "512", "--tokenizer", "bert"],
        ["-e", "HF_TOKEN", "image"],
    ):
        shown = redaction.words(words)
        hidden = [word for word, given in zip(shown, words) if word != given]
        assert hidden == [redaction.REDACTED] * ("x" in words and "--password" in words), words
    # In code, `key` is mostly something else.
    assert redaction.text("key = self.key(x)") == "key = self.key(x)"
    assert redaction.text("PWD=/srv/x and $PWD:/data") == "PWD=/srv/x and $PWD:/data"


MOST_FALSE = 0
"""Of the harmless command lines, those in which a word is left out."""


def test_harmless_command_lines_stay_as_they_are() -> None:
    lines = Path(__file__).with_name("harmless_commands.txt").read_text().splitlines()
    wrong = [line for line in lines if redaction.words_without_secrets(w := shlex.split(line)) != w]
    assert len(lines) >= 200
    told = "\n".join(wrong)
    assert len(wrong) <= MOST_FALSE, f"{len(wrong)} of {len(lines)} are changed:\n{told}"


def test_no_message_of_our_own_is_changed() -> None:
    changed = []
    for file in (REPOSITORY / "seed_init" / "proof").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        changed += [
            node.value
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            if id(node) not in documentation and not file.name.startswith("secret_")
            if redaction.without_secrets(node.value) != node.value
        ]
    assert changed == []


def test_no_recorded_variable_has_the_name_of_a_secret() -> None:
    assert [name for name in redaction.NAMES if secret_names.is_secret(name)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        "a",
        "a-",
        "://",
        "a://b",
        "a@",
        "a:",
        "-----BEGIN ",
        "eyJ",
        "sk-",
        "gsk_",
        "<a ",
        "'",
        '"',
        "1",
        "\\",
        "(",
        "a.",
    ],
)
def test_a_word_may_be_as_long_as_the_system_allows(part: str) -> None:
    # Linux allows 128 KiB in one argument. What is not linear takes minutes for such a word: this
    # test would not come to its end.
    word = part * ((1 << 17) // len(part))
    assert len(redaction.words(["sh", "-c", word])) == 3
