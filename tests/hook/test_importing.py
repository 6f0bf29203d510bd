"""The import hook fires once, right after the import, and leaves no trace of itself.

Each test runs a small program on a package made for it; `arm` makes the hook of the process
wait for its modules as it waits for torch. Where a Python without the hook can run the same
program, it must print the same.
"""

import textwrap
import zipfile
from pathlib import Path

import pytest

from harness.processes import Completed, output, run

QUIET = {"SEED": "7", "SEED_INIT_LOG": "quiet"}
NO_AGENT = {"DD_TRACE_ENABLED": "0", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "0"}
"""ddtrace has nobody to send to here."""

ARM = """
import sys
fired = []

def arm(*names):
    try:
        finder = next(finder for finder in sys.meta_path if hasattr(finder, "waiting"))
    except StopIteration:
        return  # a Python without the hook
    finder.waiting.update(names)
    call = finder.call
    finder.call = lambda name: fired.append(name) if name in names else call(name)

def ours_first(first):
    finder = next(finder for finder in sys.meta_path if hasattr(finder, "waiting"))
    sys.meta_path.remove(finder)
    names = [getattr(finder, "__name__", "") for finder in sys.meta_path]
    sys.meta_path.insert(0 if first else names.index("PathFinder"), finder)

"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A directory on sys.path with a package to import."""
    write(tmp_path, "fakepkg/__init__.py", "import sys; fired = getattr(sys, 'fired', None)\n")
    write(tmp_path, "fakepkg/sub.py", "def function():\n    return 'found'\n")
    write(tmp_path, "fakepkg/data.txt", "data")
    return tmp_path


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def run_armed(python: Path, packages: Path, code: str, *names: str, **env: str) -> Completed:
    arm = ARM + "arm(" + ", ".join(map(repr, names or ("fakepkg", "fakepkg.sub"))) + ")\n"
    given = {"SEED": "7", "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1", **env}
    return run(python, "-c", arm + textwrap.dedent(code), env=given, timeout=30)


def out_armed(python: Path, packages: Path, code: str, *names: str, **env: str) -> str:
    done = run_armed(python, packages, code, *names, **env)
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.strip()


def check_same_without_us(python: Path, bare: Path, packages: Path, code: str) -> Completed:
    done, without_us = (run_armed(one, packages, code) for one in (python, bare))
    assert (done.stdout, done.stderr, done.returncode) == (
        without_us.stdout,
        without_us.stderr,
        without_us.returncode,
    )
    return done


# What the module, its spec and everything that looks at them see.

LOOK = """
    import importlib
    module = importlib.import_module({name!r})
    print(module.__loader__ is module.__spec__.loader, type(module.__loader__).__module__)
    print(type(module.__loader__).__qualname__, module.__spec__.origin == module.__file__)
    print(module.__spec__.name, module.__package__, module.__spec__.parent)
"""


@pytest.mark.parametrize("name", ["fakepkg", "fakepkg.sub", "random", "numpy.random"])
def test_the_loader_after_the_import_is_the_true_one(
    python: Path, bare: Path, packages: Path, name: str
) -> None:
    code = LOOK.format(name=name)
    env = {"SEED_INIT_LOG": "quiet"}
    shown = out_armed(python, packages, code, **env)
    assert shown == out_armed(bare, packages, code, **env)
    assert shown.startswith("True _frozen_importlib_external\nSourceFileLoader True\n")


@pytest.mark.torch
def test_torch_looks_as_it_does_without_us(python: Path, bare: Path, packages: Path) -> None:
    code = LOOK.format(name="torch") + (
        "    import importlib.resources, inspect, pkgutil\n"
        "    print((importlib.resources.files('torch') / 'version.py').is_file())\n"
        "    print(len(pkgutil.get_data('torch', 'version.py')))\n"
        "    print(len(inspect.getsource(module)), importlib.util.find_spec('torch').origin)\n"
    )
    env = {"SEED_INIT_LOG": "quiet"}
    assert out_armed(python, packages, code, **env) == out_armed(bare, packages, code, **env)


SPEC = "import importlib.util; spec = importlib.util.find_spec('fakepkg.sub')"


@pytest.mark.parametrize(
    "look",
    [
        "import importlib.resources as r; print((r.files('fakepkg') / 'data.txt').read_text())",
        "import pkgutil; print(pkgutil.get_data('fakepkg', 'data.txt'))",
        "import inspect, fakepkg.sub; print(inspect.getsource(fakepkg.sub))",
        "import inspect, fakepkg.sub; print(inspect.getsource(fakepkg.sub.function))",
        "import pkgutil, fakepkg; print([m.name for m in pkgutil.iter_modules(fakepkg.__path__)])",
        "import fakepkg.sub, pickle; print(pickle.loads(pickle.dumps(fakepkg.sub.function))())",
        "import linecache, fakepkg.sub as s; print(linecache.getlines(s.__file__, vars(s)))",
        "import runpy; print(runpy.run_module('fakepkg.sub', alter_sys=True)['function']())",
        f"{SPEC}; print(spec.loader.get_code('fakepkg.sub').co_filename)",
        f"{SPEC}; print(spec.origin, spec.cached, spec.has_location, spec.parent)",
        f"{SPEC}; print(spec.loader.is_package('fakepkg.sub'), spec.loader.path)",
        f"{SPEC}; import copy; print(copy.copy(spec.loader).path)",
    ],
)
def test_what_looks_at_modules_sees_what_it_sees_without_us(
    python: Path, bare: Path, packages: Path, look: str
) -> None:
    done = check_same_without_us(python, bare, packages, look)
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("module", ["random", "numpy.random"])
def test_python_m_runs_a_hooked_module(python: Path, bare: Path, module: str) -> None:
    done, without_us = (run(one, "-m", module, env=QUIET) for one in (python, bare))
    # numpy.random has no __main__, and Python says so.
    assert done.returncode == without_us.returncode == (module != "random")
    assert done.stderr.replace(str(python), str(bare)) == without_us.stderr


def test_a_failing_body_has_no_frame_of_ours_in_its_traceback(
    python: Path, bare: Path, packages: Path
) -> None:
    for body in ("raise ValueError('boom')", "import no_such_module", "1 / 0", "def"):
        write(packages, "fakepkg/sub.py", f"{body}\n")
        done = check_same_without_us(python, bare, packages, "import fakepkg.sub")
        assert done.returncode == 1 and "seed_init" not in done.stderr


def test_a_warning_in_the_body_names_who_imports(python: Path, bare: Path, packages: Path) -> None:
    write(packages, "fakepkg/sub.py", "import warnings; warnings.warn('old', stacklevel=2)\n")
    user = write(packages, "user.py", "import fakepkg.sub\n")
    done = check_same_without_us(python, bare, packages, "import user")
    assert done.stderr.startswith(f"{user}:1: UserWarning: old\n")


# When the function is called, and when not.


@pytest.mark.parametrize(
    ("statement", "fired"),
    [
        ("import fakepkg", "fakepkg"),
        ("import fakepkg.sub", "fakepkg fakepkg.sub"),
        ("from fakepkg import sub", "fakepkg fakepkg.sub"),
        ("from fakepkg.sub import function", "fakepkg fakepkg.sub"),
        ("import importlib; importlib.import_module('fakepkg.sub')", "fakepkg fakepkg.sub"),
        ("import importlib; importlib.import_module('.sub', 'fakepkg')", "fakepkg fakepkg.sub"),
        ("__import__('fakepkg.sub')", "fakepkg fakepkg.sub"),
        ("import importlib.util; importlib.util.find_spec('fakepkg')", ""),
        ("import importlib.util; importlib.util.find_spec('fakepkg.sub')", "fakepkg"),
    ],
)
def test_the_hook_fires_once_after_the_import(
    python: Path, packages: Path, statement: str, fired: str
) -> None:
    code = f"{statement}\n{statement}\nprint(*fired)"
    assert out_armed(python, packages, code) == fired


def test_a_submodule_is_waited_for_without_its_package(python: Path, packages: Path) -> None:
    code = "import fakepkg; print(fired); import fakepkg.sub; print(fired)"
    assert out_armed(python, packages, code, "fakepkg.sub") == "[]\n['fakepkg.sub']"


def test_a_missing_module_is_missing_and_is_still_waited_for(
    python: Path, bare: Path, packages: Path
) -> None:
    code = """
        arm("nowhere", "fakepkg.nowhere")
        for name in ("nowhere", "fakepkg.nowhere"):
            try:
                __import__(name)
            except ModuleNotFoundError as error:
                print(error, error.name)
        import importlib, pathlib, fakepkg
        pathlib.Path(fakepkg.__file__).with_name("nowhere.py").write_text("")
        importlib.invalidate_caches()
        import fakepkg.nowhere
        print("fakepkg.nowhere" in fired)
    """
    shown = out_armed(python, packages, code).splitlines()
    (packages / "fakepkg/nowhere.py").unlink()
    assert shown[:2] == out_armed(bare, packages, code).splitlines()[:2]
    assert shown[2] == "True"


def test_a_half_failed_import_fires_when_it_is_retried(python: Path, packages: Path) -> None:
    write(packages, "fakepkg/sub.py", "import sys\nif not fail.pop(): raise ImportError('half')\n")
    code = """
        import builtins
        builtins.fail = [True, False, False]
        for attempt in range(3):
            try:
                import fakepkg.sub
            except ImportError as error:
                print(error, fired, sys.modules.get("fakepkg.sub"))
        print(fired, type(fakepkg.sub.__loader__).__name__)
    """
    assert out_armed(python, packages, code, "fakepkg.sub").splitlines() == [
        *["half [] None"] * 2,
        "['fakepkg.sub'] SourceFileLoader",
    ]


def test_reload_and_reimport_do_not_fire_again(python: Path, packages: Path) -> None:
    code = """
        import importlib, fakepkg.sub
        importlib.reload(fakepkg.sub)
        del sys.modules["fakepkg.sub"]
        import fakepkg.sub
        importlib.reload(fakepkg.sub)
        print(*fired)
    """
    assert out_armed(python, packages, code) == "fakepkg fakepkg.sub"


def test_reload_and_reimport_do_not_reseed_numpy(python: Path, packages: Path) -> None:
    code = """
        import importlib, numpy.random
        drawn = [numpy.random.rand()]
        importlib.reload(numpy.random)
        drawn.append(numpy.random.rand())
        numpy.random.seed(7)
        print(drawn == [numpy.random.rand(), numpy.random.rand()])
    """
    assert out_armed(python, packages, code, SEED_INIT_LOG="quiet") == "True"


def test_a_library_is_seeded_when_its_import_ends_for_every_thread(
    python: Path, packages: Path
) -> None:
    """Eight threads import at once: one firing, and nobody gets the module before it."""
    write(packages, "fakepkg/sub.py", "import time; time.sleep(0.05); ready = False\n")
    code = """
        import threading
        import fakepkg
        from seed_init.hook import startup
        def ready(name):
            fired.append(name)
            sys.modules[name].ready = True
        startup.finder.call = ready
        seen, barrier = [], threading.Barrier(8)
        def look():
            barrier.wait()
            import fakepkg.sub
            seen.append(fakepkg.sub.ready)
        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(seen == [True] * 8, *fired)
    """
    assert out_armed(python, packages, code, "fakepkg.sub") == "True fakepkg.sub"


def test_a_package_may_wait_for_a_thread_that_imports_its_submodule(
    python: Path, packages: Path
) -> None:
    """A hook that imports the parent to find the child hangs here."""
    write(
        packages,
        "fakepkg/__init__.py",
        """
        import importlib, threading
        thread = threading.Thread(target=importlib.import_module, args=("fakepkg.sub",))
        thread.start()
        thread.join(10)
        hangs = thread.is_alive()
        """,
    )
    code = "import fakepkg; print(fakepkg.hangs, *fired)"
    assert out_armed(python, packages, code, "fakepkg.sub") == "False fakepkg.sub"


def test_a_package_that_imports_its_own_submodule_fires_from_inside_out(
    python: Path, packages: Path
) -> None:
    write(packages, "fakepkg/__init__.py", "from fakepkg import sub\n")
    assert out_armed(python, packages, "import fakepkg; print(*fired)") == "fakepkg.sub fakepkg"


@pytest.mark.parametrize("kind", ["zip", "compiled"])
def test_other_loaders_than_that_of_source_files(
    python: Path, bare: Path, packages: Path, kind: str
) -> None:
    other = packages / "other.zip"
    if kind == "zip":
        with zipfile.ZipFile(other, "w") as archive:
            archive.writestr("otherpkg/__init__.py", "")
            archive.writestr("otherpkg/sub.py", "value = 3\n")
    else:
        write(packages, "source.py", "value = 3\n")
        (other / "otherpkg").mkdir(parents=True)
        (other / "otherpkg/__init__.py").write_text("")
        code = "import py_compile, sys; py_compile.compile(*sys.argv[1:])"
        output(python, "-c", code, packages / "source.py", other / "otherpkg/sub.pyc")
    code = f"""
        sys.path.insert(0, {str(other)!r})
        arm("otherpkg.sub")
        import otherpkg.sub
        print(otherpkg.sub.value, type(otherpkg.sub.__loader__).__name__, len(fired))
    """
    shown = out_armed(python, packages, code)
    assert shown == out_armed(bare, packages, code)[:-1] + "1"
    assert shown.split()[1] == {"zip": "zipimporter", "compiled": "SourcelessFileLoader"}[kind]


def test_a_namespace_package_is_imported_as_without_us(
    python: Path, bare: Path, packages: Path
) -> None:
    (packages / "spacepkg").mkdir()
    code = "arm('spacepkg')\nimport spacepkg; print(spacepkg.__path__, spacepkg.__loader__ is None)"
    check_same_without_us(python, bare, packages, code)


def test_a_lazy_loader_fires_when_the_module_is_first_used(python: Path, packages: Path) -> None:
    code = """
        import importlib.util
        spec = importlib.util.find_spec("fakepkg.sub")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules["fakepkg.sub"] = module
        spec.loader.exec_module(module)
        print("before", *fired)
        print(module.function())
        print("after", *fired)
    """
    assert out_armed(python, packages, code, "fakepkg.sub").splitlines() == [
        *("before", "found", "after fakepkg.sub")
    ]


def test_a_copied_meta_path_still_has_the_hook(python: Path, packages: Path) -> None:
    code = """
        sys.meta_path = list(sys.meta_path)
        import fakepkg.sub
        print(*fired)
    """
    assert out_armed(python, packages, code) == "fakepkg fakepkg.sub"


def test_the_meta_path_can_be_pickled_and_deeply_copied(
    python: Path, bare: Path, packages: Path
) -> None:
    code = """
        import copy, pickle
        print(copy.deepcopy(sys.meta_path) == sys.meta_path)
        print(pickle.loads(pickle.dumps(sys.meta_path)) == sys.meta_path)
    """
    assert check_same_without_us(python, bare, packages, code).stdout == "True\nTrue\n"


def test_a_module_named_process_is_not_asked_for_what_it_would_import(
    python: Path, bare: Path, packages: Path
) -> None:
    text = "def __getattr__(name):\n    raise ImportError(name)\n"
    write(packages, "fakepkg/process.py", text)
    code = "import fakepkg.process; print('imported')"
    assert check_same_without_us(python, bare, packages, code).stdout == "imported\n"


def test_a_program_may_have_processes_of_its_own_in_such_a_module(
    python: Path, bare: Path, packages: Path
) -> None:
    text = """
        class BaseProcess:
            def start(self):
                self._bootstrap()

            def _bootstrap(self):
                print("started")

        def current_process():
            return None
    """
    write(packages, "fakepkg/process.py", text)
    code = "from fakepkg.process import BaseProcess; BaseProcess().start()"
    assert check_same_without_us(python, bare, packages, code).stdout == "started\n"


# Beside other hooks.


@pytest.mark.parametrize("first", [True, False], ids=["ours first", "ours last"])
class TestBesideOthers:
    def test_wrapt_fires_and_so_do_we(self, python: Path, packages: Path, first: bool) -> None:
        code = f"""
            import wrapt
            @wrapt.when_imported("fakepkg.sub")
            def hook(module):
                print("wrapt:", module.__name__)
            ours_first({first})
            import fakepkg.sub
            print(*fired, type(fakepkg.sub.__spec__.loader).__name__, fakepkg.sub.function())
        """
        shown = out_armed(python, packages, code, "fakepkg.sub")
        assert shown == "wrapt: fakepkg.sub\nfakepkg.sub SourceFileLoader found"

    def test_wrapt_fires_for_numpy_and_it_is_seeded(
        self, python: Path, packages: Path, first: bool
    ) -> None:
        code = f"""
            import wrapt
            hooked = []
            wrapt.register_post_import_hook(hooked.append, "numpy.random")
            ours_first({first})
            import numpy.random
            drawn = numpy.random.rand()
            numpy.random.seed(7)
            print(len(hooked), drawn == numpy.random.rand())
        """
        assert out_armed(python, packages, code, SEED_INIT_LOG="quiet") == "1 True"

    def test_ddtrace_fires_and_so_do_we(self, python: Path, packages: Path, first: bool) -> None:
        code = f"""
            from ddtrace.internal.module import ModuleWatchdog
            ModuleWatchdog.install()
            @ModuleWatchdog.after_module_imported("fakepkg.sub")
            def hook(module):
                print("ddtrace:", module.__name__)
            ours_first({first})
            import fakepkg.sub
            print(*fired, fakepkg.sub.function())
        """
        shown = out_armed(python, packages, code, "fakepkg.sub", **NO_AGENT)
        assert shown == "ddtrace: fakepkg.sub\nfakepkg.sub found"

    def test_an_in_place_patch_of_the_loader_fires_and_so_do_we(
        self, python: Path, packages: Path, first: bool
    ) -> None:
        """As virtualenv's _virtualenv.py does it."""
        code = f"""
            import importlib.util
            class Patching:
                asking = False
                def find_spec(self, name, path, target=None):
                    if name == "fakepkg.sub" and not self.asking:
                        self.asking = True
                        try:
                            spec = importlib.util.find_spec(name, path)
                        finally:
                            self.asking = False
                        old = spec.loader.exec_module
                        def exec_module(module):
                            old(module)
                            print("patched:", module.__name__)
                        spec.loader.exec_module = exec_module
                        return spec
            sys.meta_path.insert(0, Patching())
            ours_first({first})
            import fakepkg.sub
            print(*fired)
        """
        shown = out_armed(python, packages, code, "fakepkg.sub")
        assert shown == "patched: fakepkg.sub\nfakepkg.sub"

    def test_a_finder_that_asks_all_others_finds_the_module_and_we_fire(
        self, python: Path, packages: Path, first: bool
    ) -> None:
        code = f"""
            class Asking:
                def find_spec(self, name, path, target=None):
                    for finder in sys.meta_path:
                        if finder is not self:
                            spec = finder.find_spec(name, path, target)
                            if spec is not None:
                                return spec
            sys.meta_path.insert(0, Asking())
            ours_first({first})
            import fakepkg.sub
            print(*fired, type(fakepkg.sub.__spec__.loader).__name__)
        """
        shown = out_armed(python, packages, code, "fakepkg.sub")
        assert shown == "fakepkg.sub SourceFileLoader"

    def test_six_and_setuptools_find_what_is_theirs(
        self, python: Path, packages: Path, first: bool
    ) -> None:
        code = f"""
            import six, _distutils_hack
            _distutils_hack.add_shim()
            ours_first({first})
            from six.moves.urllib.parse import quote
            import fakepkg.sub, random
            drawn = random.random()
            random.seed(7)
            print(quote("a b"), *fired, drawn == random.random())
        """
        assert out_armed(python, packages, code) == "a%20b fakepkg fakepkg.sub True"

    @pytest.mark.slow
    def test_pytest_rewrites_its_asserts_and_libraries_are_seeded(
        self, python: Path, packages: Path, first: bool
    ) -> None:
        """Behind pytest's finder we do not see what it rewrites, which is no library."""
        write(packages, "library.py", "")
        write(packages, "helper.py", "def check(value):\n    assert value == 2\n")
        conftest = f'arm("helper", "library")\nours_first({first})\nimport pytest\n'
        write(packages, "conftest.py", ARM + conftest + 'pytest.register_assert_rewrite("helper")')
        write(
            packages,
            "test_it.py",
            f"""
            import pytest
            from conftest import fired
            import helper, library
            def test_it():
                with pytest.raises(AssertionError, match="assert 1 == 2"):
                    helper.check(1)
                assert fired == {["helper", "library"] if first else ["library"]}
            """,
        )
        plugins = (*("-p", "no:cacheprovider"), *("-p", "no:xdist"), *("-p", "no:randomly"))
        options = ("-q", *plugins, "-c", "/dev/null")
        done = run(
            *(python, "-m", "pytest", *options, "--rootdir", packages, packages / "test_it.py"),
            env={"SEED": "7"},
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


# What cannot be covered is at least told.

FOREIGN = """
    import importlib.machinery
    class Foreign:
        def find_spec(self, name, path, target=None):
            return importlib.machinery.PathFinder.find_spec(name, path, target)
    sys.meta_path.insert(0, Foreign())
"""
REMOVED = """
    sys.meta_path[:] = [finder for finder in sys.meta_path if not hasattr(finder, "waiting")]
"""


@pytest.mark.parametrize("past", [FOREIGN, REMOVED], ids=["foreign finder first", "ours removed"])
class TestPastTheHook:
    def test_a_library_is_not_seeded_and_status_says_so(
        self, python: Path, packages: Path, past: str
    ) -> None:
        code = f"""{past}
    import random, seed_init
    drawn = random.random()
    random.seed(7)
    print(drawn == random.random(), *seed_init.status()["not_covered"])
        """
        assert out_armed(python, packages, code) == (
            "False random was imported past the hook and is not seeded; seed_init.reseed() does"
        )

    def test_reseed_seeds_it_as_status_says(self, python: Path, packages: Path, past: str) -> None:
        code = f"""{past}
    import random, seed_init
    seed_init.reseed()
    drawn = random.random()
    random.seed(7)
    print(drawn == random.random(), *seed_init.status()["not_covered"])
        """
        assert out_armed(python, packages, code) == "True"


# A hook that fails ends the process: user code must not run unseeded.

FAIL = """
    import seed_init.libraries.{file}
    def fail(value):
        raise {error}
    seed_init.libraries.{file}.library.seed = fail
    try:
        import {module}
    except BaseException:
        pass
    print("user code ran")
"""


@pytest.mark.parametrize("error", ["RuntimeError('boom')", "SystemExit('boom')"])
def test_a_failure_to_seed_ends_the_process_in_one_line(
    python: Path, packages: Path, error: str
) -> None:
    code = FAIL.format(file="numpy", module="numpy.random", error=error)
    done = run_armed(python, packages, code)
    name = error.partition("(")[0]
    line = f"seed_init: seeding failed with {name}: 'boom'; set SEED_INIT=0 to run without seeding"
    assert (done.stdout, done.stderr, done.returncode) == ("", f"{line}\n", 78)


def test_a_failure_to_seed_a_worker_ends_the_worker(python: Path, packages: Path) -> None:
    code = """
        import os, random, seed_init.libraries.stdlib as stdlib
        def fail(value):
            raise RuntimeError("boom")
        stdlib.library.seed_in_fork = fail
        child = os.fork()
        if child == 0:
            os.write(1, b"user code ran")
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = run_armed(python, packages, code)
    assert (done.stdout, len(done.stderr.splitlines())) == ("78\n", 1)


@pytest.mark.parametrize("part", ["importing", "seeding", "settings", "children"])
def test_a_part_of_the_hook_that_is_gone_ends_the_process(
    python: Path, packages: Path, part: str
) -> None:
    """Or user code that can do without a library would run unseeded."""
    code = f"""
        sys.modules["seed_init.hook.{part}"] = None
        try:
            import os, random
        except ImportError:
            pass
        os.fork()
        print("user code ran")
    """
    done = run_armed(python, packages, code)
    assert (done.stdout, len(done.stderr.splitlines()), done.returncode) == ("", 1, 78)


@pytest.mark.parametrize("name", ["seed_init.py", "seed_init/__init__.py"])
def test_a_module_of_the_users_that_is_called_seed_init_leaves_nobody_unseeded(
    python: Path, packages: Path, name: str
) -> None:
    write(packages, name, "mine = True\n")
    script = write(
        packages,
        "train.py",
        """
        try:
            import random
            drawn = random.random()
            random.seed(7)
            print(drawn == random.random())
        except ImportError:
            print("user code ran")
        """,
    )
    done = run(python, script, env={"SEED": "7"})
    assert (done.stdout, done.returncode) in (("True\n", 0), ("", 78))
    assert (done.stderr == "") == (done.returncode == 0)
