"""numba and CuPy, which keep generators of their own."""

from pathlib import Path

import pytest

from harness.processes import answer, output, run

DRAW = """
import json, random, sys, numpy
from numba import njit
@njit
def draw():
    return numpy.random.rand(), random.random()
"""


class TestNumba:
    @pytest.mark.slow
    def test_draws_what_it_draws_under_explicit_seeding(self, python: Path, bare: Path) -> None:
        by_hand = DRAW + "@njit\ndef seed(n):\n    numpy.random.seed(n); random.seed(n)\nseed(7)\n"
        told = output(python, "-c", DRAW + "print(draw())", env={"SEED": "7"})
        assert told == output(bare, "-c", by_hand + "print(draw())")

    @pytest.mark.slow
    def test_without_the_hook_differs_from_run_to_run(self, bare: Path) -> None:
        """The hole, open."""
        one, two = (output(bare, "-c", DRAW + "print(draw())") for _ in "12")
        assert one != two

    @pytest.mark.slow
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_workers_have_streams_of_their_own(
        self, python: Path, tmp_path: Path, method: str
    ) -> None:
        script = tmp_path / "workers.py"
        script.write_text(
            DRAW
            + """
import multiprocessing
def work(queue):
    queue.put(draw())
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    told, queue = [draw()], context.SimpleQueue()
    for _ in range(2):
        process = context.Process(target=work, args=(queue,))
        process.start(); told.append(queue.get()); process.join()
    print(json.dumps(told))
"""
        )
        told = answer(python, script, method, env={"SEED": "7"}, timeout=120)
        for drawn in zip(*told, strict=True):
            assert len(set(drawn)) == 3
        assert answer(python, script, method, env={"SEED": "7"}, timeout=120) == told

    @pytest.mark.slow
    def test_reseed_starts_over(self, python: Path) -> None:
        code = DRAW + "import seed_init\na = draw(); seed_init.reseed(); print(draw() == a)"
        assert output(python, "-c", code, env={"SEED": "7"}) == "True"

    def test_is_not_imported_for_it(self, python: Path) -> None:
        code = "import random, numpy.random, sys; print('numba' in sys.modules)"
        assert output(python, "-c", code, env={"SEED": "7"}) == "False"


class TestCuPy:
    """CuPy reads the seed from CUPY_SEED when a device's generator is made."""

    @pytest.fixture(autouse=True)
    def installed(self, python: Path) -> None:
        if run(python, "-c", "import cupy").returncode:
            pytest.skip("CuPy is not installed: it is of use only where there is a GPU")

    CODE = "import cupy, os; print(os.environ.get('CUPY_SEED'))"

    def test_gets_the_seed_of_the_process(self, python: Path) -> None:
        assert output(python, "-c", self.CODE, env={"SEED": "7"}) == "7"

    def test_keeps_the_users_own_seed(self, python: Path) -> None:
        assert output(python, "-c", self.CODE, env={"SEED": "7", "CUPY_SEED": "5"}) == "5"

    def test_workers_get_their_own_seed(self, python: Path) -> None:
        code = """
import cupy, os
for _ in range(2):
    if os.fork() == 0:
        print(os.environ["CUPY_SEED"], flush=True); os._exit(0)
    os.wait()
print(os.environ["CUPY_SEED"])
"""
        assert len(set(output(python, "-c", code, env={"SEED": "7"}).split())) == 3

    def test_draws_the_same_in_every_run(self, python: Path) -> None:
        devices = "import cupy; print(cupy.cuda.runtime.getDeviceCount())"
        if run(python, "-c", devices).stdout.strip() in ("", "0"):
            pytest.skip("no CUDA device")
        code = "import cupy; print(float(cupy.random.rand()))"
        drawn = [output(python, "-c", code, env={"SEED": seed}) for seed in ("7", "7", "8")]
        assert drawn[0] == drawn[1] != drawn[2]
