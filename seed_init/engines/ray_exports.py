# SPDX-License-Identifier: Apache-2.0
"""Functions and classes that Ray's workers load: each tells the worker first what is sent along.

A worker loads a function, or an actor's class, before it unpacks the arguments of the first call.
So what is exported is wrapped in a pickle that first calls `_told`, which travels by value: a
worker that does not have the hook learns to leave out what it does not know, and says so; a worker
that has the hook, but was asked for nothing when it began, gets its adapter now.
"""

from types import FunctionType
from weakref import WeakSet

from seed_init.hook.callers import like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MARK = b"seed_init"
"""Is in each pickle of ours, by the name of a module."""

_classes: "WeakSet[type]" = WeakSet()  # that came in such a pickle
_exported: "set[Any]" = set()  # identities of classes that all who have them got from us


class Exported:
    """Pickles as what it holds, told about us."""

    def __init__(self, held: "Any") -> None:
        self._held = held

    def __reduce__(self) -> "tuple[Any, ...]":
        return _by_value, (self._held,)


def _told(held):  # type: ignore[no-untyped-def]
    """Runs in each worker, with nothing but the standard library and Ray around it."""
    import sys

    try:
        __import__("seed_init.engines.ray")
        sys.modules["seed_init.engines.ray"].arrived(held)
    except Exception:
        import ray._common.signature as signature

        if not hasattr(signature.recover_args, "seed_init"):
            recover = signature.recover_args

            def recover_args(flattened_args):  # type: ignore[no-untyped-def]
                args, kwargs = recover(flattened_args)
                kwargs.pop(b"seed_init", None)
                return args, kwargs

            recover_args.seed_init = True  # type: ignore[attr-defined]
            signature.recover_args = recover_args
            print(
                "seed_init: this worker of Ray has no seeding hook: the seed of the program does "
                "not reach it; install the hook in the Python of each node",
                file=sys.stderr,
                flush=True,
            )
    return held


# Of a module that nobody imports, and so pickled with its code (cloudpickle, by value).
_by_value = FunctionType(
    _told.__code__, {"__builtins__": __builtins__, "__name__": "__main__"}, "told"
)
_by_value.__module__ = "__main__"


def remember(held: "Any") -> None:
    """Remember what has come in a pickle of ours, where it is the class of actors."""
    if isinstance(held, type):
        _classes.add(held)


def attach(ray: "Any") -> None:
    """Wrap what is exported from here.

    Raises:
        AttributeError: this release has other names; nothing was changed.
    """
    functions, classes = ray.remote_function, ray._private.function_manager
    manager = classes.FunctionActorManager
    dump, dump_class = functions.pickle_dumps, classes.pickle_dumps
    export, export_class = manager.export, manager.export_actor_class
    key_of, space = classes.make_function_table_key, classes.KV_NAMESPACE_FUNCTION_TABLE
    _ = ray._private.client_mode_hook.client_mode_should_convert, manager.load_actor_class

    def wrapping(original: "Any", kind: type) -> "Any":
        @like(original)
        def pickle_dumps(obj: "Any", error_msg: str) -> "Any":
            if isinstance(obj, kind):
                try:
                    return original(Exported(obj), error_msg)
                except Exception:
                    pass  # what cannot be pickled is the user's, and Ray says so
            return original(obj, error_msg)

        return pickle_dumps

    @like(export)
    def export_function(self: "Any", remote_function: "Any") -> None:
        if not self._worker.load_code_from_local:
            identity = remote_function._function_descriptor.function_id.binary()
            key = key_of(b"RemoteFunction", self._worker.current_job_id, identity)
            client = self._worker.gcs_client
            # Another process of this job may have exported it, without us.
            if client.internal_kv_exists(key, space) and MARK not in (
                client.internal_kv_get(key, space) or MARK
            ):
                client.internal_kv_del(key, False, space)
        export(self, remote_function)

    @like(export_class)
    def export_actor_class(self: "Any", Class: "Any", descriptor: "Any", *rest: "Any") -> None:
        export_class(self, Class, descriptor, *rest)
        _exported.add(descriptor.function_id)

    functions.pickle_dumps = wrapping(dump, object)
    classes.pickle_dumps = wrapping(dump_class, type)
    manager.export = export_function
    manager.export_actor_class = export_actor_class


def is_ours(ray: "Any", made_by: "Any") -> bool:
    """Whether the process of an actor has got its class from us.

    Args:
        ray: the package.
        made_by: the descriptor of the function that made the actor.
    """
    identity = made_by.function_id
    if identity in _exported:
        return True
    manager = ray._private.worker.global_worker.function_actor_manager
    if manager._loaded_actor_classes.get(identity) not in _classes:
        return False
    _exported.add(identity)
    return True
