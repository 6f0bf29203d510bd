"""What must be unpredictable or unique stays so, however much is seeded."""

from pathlib import Path

import pytest

from harness.processes import answer, output

SEVEN = {"SEED": "7"}

UNPREDICTABLE = {
    "os.urandom": "import os; print(os.urandom(8).hex())",
    "secrets": "import secrets; print(secrets.token_hex(8), secrets.randbelow(10**9))",
    "uuid4": "import uuid; print(uuid.uuid4())",
    "uuid1, whose node and clock sequence may be drawn": """
import uuid
uuid._generate_time_safe = None
print(uuid._random_getnode(), uuid.uuid1(node=1).clock_seq)""",
    "SystemRandom": "import random; print(random.SystemRandom().random())",
    "tempfile": "import tempfile; print(tempfile.mktemp(), next(tempfile._get_candidate_names()))",
    "message ids": "import email.utils; print(email.utils.make_msgid())",
    "mime boundaries": """
import email.mime.multipart as m; print(m.MIMEMultipart().as_string().split('"')[1])""",
    "names of cache files of Hugging Face datasets": """
import sys, types, random
module = types.ModuleType("datasets.fingerprint")   # its line: fingerprint_rng = random.Random()
exec("import random; fingerprint_rng = random.Random()", vars(module))
print(module.fingerprint_rng.getrandbits(64))""",
    "names of multiprocessing semaphores": """
from multiprocessing import get_context; print(get_context('spawn').Lock()._semlock.name)""",
}


@pytest.mark.parametrize("what", UNPREDICTABLE)
def test_differs_from_run_to_run(python: Path, what: str) -> None:
    """Also in a process whose generators have all been made before."""
    before = "import random, numpy; random.Random(), numpy.random.default_rng()\n"
    first, second = (output(python, "-c", before + UNPREDICTABLE[what], env=SEVEN) for _ in "12")
    assert first != second


@pytest.mark.parametrize("what", ["tempfile", "uuid4", "uuid1", "message ids"])
def test_unique_names_do_not_shift_the_users_numbers(python: Path, what: str) -> None:
    code = next(code for name, code in UNPREDICTABLE.items() if name.startswith(what))
    drawn = "\nimport random; print(random.random(), random.Random().random())"
    plain = output(python, "-c", drawn, env=SEVEN)
    assert output(python, "-c", code + drawn, env=SEVEN).splitlines()[-1] == plain


LINKS = """
import os, sys, tempfile
from {module} import link_or_copy
folder, names = tempfile.mkdtemp(), []
for name in "ab":
    open(os.path.join(folder, name), "w").close()
sys.addaudithook(lambda event, args: names.append(args[0]) if event == "os.rename" else None)
"""
LINK = "link_or_copy(folder + '/a', folder + '/b'); print(os.path.basename(names[-1]))"

DRAWING = {
    "IPython's temporary files": (LINKS.format(module="IPython.utils.path"), LINK),
    "nbconvert's temporary files": (LINKS.format(module="nbconvert.utils.io"), LINK),
    "jupyter_client's culling of message ids": (
        """
from jupyter_client.session import Session
session = Session(key=b"key", digest_history_size=100)
""",
        "for n in range(101): session._add_digest(str(n).encode())\n"
        "print(sorted(session.digest_history))",
    ),
    "jupyter_server's salt of passwords": (
        "from jupyter_server.auth.security import passwd",
        "print(passwd('secret', algorithm='sha1'))",
    ),
    "jupyter_server's choice of ports": (
        "from jupyter_server.serverapp import random_ports",
        "print(list(random_ports(8888, 20)))",
    ),
    "the inductor's ids of buffers": (
        """
import torch
from torch._inductor.codegen import wrapper
""",
        "import inspect; print(wrapper.random.randint(0, 2**64 - 1),"
        " 'random.randint(0, 2**64 - 1)' in inspect.getsource(wrapper))",
    ),
    "zmq's choice of ports": (
        "import zmq; socket = zmq.Context().socket(zmq.PUB)",
        "print([socket.bind_to_random_port('tcp://127.0.0.1', 20000, 60000) for _ in range(3)])",
    ),
}
"""Name -> what goes before, and what draws and prints."""


@pytest.mark.parametrize("name", DRAWING)
class TestLibrariesThatDrawNamesFromRandom:
    """Found in the installed Jupyter, IPython and zmq; each is run for real."""

    @pytest.mark.torch
    @pytest.mark.slow
    def test_get_true_entropy(self, python: Path, name: str) -> None:
        code = "\n".join(DRAWING[name])
        first, second = (output(python, "-c", code, env=SEVEN) for _ in "12")
        assert first != second

    @pytest.mark.torch
    @pytest.mark.slow
    def test_would_draw_them_from_a_seed(self, bare: Path, name: str) -> None:
        """The hole, open."""
        code = "\nimport random; random.seed(7)\n".join(DRAWING[name])
        first, second = (output(bare, "-c", code) for _ in "12")
        assert first == second

    @pytest.mark.torch
    @pytest.mark.slow
    def test_do_not_shift_the_users_numbers(self, python: Path, name: str) -> None:
        before, draw = DRAWING[name]
        code = f"{before}\nimport random; random.seed(7)\n{draw}\nprint(random.random())"
        told = output(python, "-c", code, env=SEVEN).splitlines()[-1]
        assert float(told) == pytest.approx(0.32383276483316237, abs=0)


def test_joblib_and_triton_name_by_uuid_or_process(python: Path) -> None:
    """Neither draws names from `random` in the versions installed here."""
    code = """
import pathlib, re, sys, importlib.util, json
draws = re.compile(r"\\brandom\\.(random|randint|choices?|sample|getrandbits|randrange)\\(")
found = []
for name in ("joblib", "triton"):
    root = pathlib.Path(importlib.util.find_spec(name).submodule_search_locations[0])
    for path in root.rglob("*.py"):
        text = path.read_text(errors="replace")
        if "test" not in path.parts and re.search(r"^import random|^from random", text, re.M):
            found += [str(path.relative_to(root))] if draws.search(text) else []
print(json.dumps([one for one in found if "/test" not in f"/{one}"]))
"""
    assert answer(python, "-c", code, env=SEVEN) == []


def test_others_who_use_random_are_not_affected(python: Path) -> None:
    code = """
import email.utils, random, jupyter_client.session
assert jupyter_client.session.random is not random
random.seed(5); print(random.random() == random.Random(5).random())
"""
    assert output(python, "-c", code, env=SEVEN) == "True"
