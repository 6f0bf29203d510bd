# SPDX-License-Identifier: Apache-2.0
"""Functions and classes that Ray's workers load: each tells the worker first what is sent along.

A worker loads a function, or an actor's class, before it unpacks the arguments of the first call.
So what is exported is wrapped in a pickle that first calls `_told`, which travels by value: a
worker that does not have the hook learns to leave out what it does not know, and says so; a worker
that has the hook, but was asked for nothing when it began, gets its adapter now.
"""

from types import FunctionType

from seed_init.hook.callers import like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MARK = b"this worker of Ray has no seeding hook"
"""Is in each pickle of ours, in the code of `_told`."""

_ours: "dict[Any, bool]" = {}  # identity of a class -> whether such a pickle holds it


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
        sys.modules["seed_init.engines.ray"].arrived()
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
        _ours[descriptor.function_id] = True

    functions.pickle_dumps = wrapping(dump, object)
    classes.pickle_dumps = wrapping(dump_class, type)
    manager.export = export_function
    manager.export_actor_class = export_actor_class


def is_ours(ray: "Any", handle: "Any") -> bool:
    """Whether the process of an actor has got its class from us.

    A process may have a handle and not the class, which is then looked up where Ray keeps it.

    Args:
        ray: the package.
        handle: of the actor.
    """
    identity = handle._ray_actor_creation_function_descriptor.function_id
    if identity not in _ours:
        classes = ray._private.function_manager
        key = classes.make_function_table_key(
            b"ActorClass", handle._ray_actor_id.job_id, identity.binary()
        )
        client = ray._private.worker.global_worker.gcs_client
        held = client.internal_kv_get(key, classes.KV_NAMESPACE_FUNCTION_TABLE)
        _ours[identity] = held is not None and MARK in held
    return _ours[identity]
