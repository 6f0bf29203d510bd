# SPDX-License-Identifier: Apache-2.0
"""Proving that runs are the same: trace, verify, record, compare, audit, report.

`observer` runs inside the user's processes and writes what it sees to a trace directory; everything
else here runs outside of them, in the command `seed-init` or a test, and reads it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from seed_init.proof.verifying.verdict import Verification


def verify(
    command: "Sequence[str]",
    *,
    runs: int = 2,
    perturb: bool = True,
    ignore_output: "Sequence[str]" = (),
    files: "Sequence[str]" = (),
    locate: bool = True,
    stdin: "Path | None" = None,
    timeout: float | None = None,
    environment: "Mapping[str, str] | None" = None,
    cwd: "Path | None" = None,
    portable: bool = False,
    emulate: "Sequence[str]" = (),
    resume_after: "int | None" = None,
    kill: str = "TERM",
    resume_command: "Sequence[str]" = (),
) -> "Verification":
    """Run a command several times and compare the runs, as `seed-init verify` does.

        def test_training_repeats():
            result = verify([sys.executable, "train.py", "--steps", "20"])
            assert result.identical, result.difference

    Args:
        command: its words.
        runs: how many observed runs are compared, at least 2; one more has no training hooks.
        perturb: change what must not matter in the runs after the first.
        ignore_output: regular expressions of lines of standard output that are not compared.
        files: patterns of files that the command writes and that are compared.
        locate: rerun the step at which the runs part, to say where in it.
        stdin: a file that every run reads; /dev/null if None.
        timeout: seconds for each run.
        environment: of the runs; this process's if None.
        cwd: the working directory of the runs; this process's if None.
        portable: make more runs, each as on another machine.
        emulate: models of CPUs that qemu-user emulates in more runs.
        resume_after: stop a run after that many optimizer steps, run the command again, and compare
            what goes on from the checkpoint with a run that was never stopped. What is said of
            `runs`, `perturb`, `ignore_output`, `portable` and `emulate` does not hold then.
        kill: the signal that stops the run: "TERM" or "KILL".
        resume_command: the words of the command that goes on; those of `command` if empty.

    Returns:
        The result: `identical`, `verdict`, `difference`, `failures`, `compared`, `machines`,
        `resumed`, `to_json()`.
        `identical` is False as well where an instrument failed, so that not everything was seen.

    Raises:
        ValueError: fewer than 2 runs, a run that is to be stopped before its first step, or another
            signal.
        seed_init.proof.running.commands.CannotStart: there is no such command, or it cannot be
            emulated.
        seed_init.proof.comparing.output_lines.BadPattern: an expression is not valid.
    """
    if runs < 2:
        raise ValueError(f"runs={runs!r} compares nothing; give 2 or more")
    if resume_after is not None and resume_after < 1:
        raise ValueError(f"resume_after={resume_after!r} is before the first step; give 1 or more")
    if kill not in ("TERM", "KILL"):
        raise ValueError(f"kill={kill!r} is no signal of this function; give 'TERM' or 'KILL'")
    # Not at the top: the observed processes import this package as well.
    from seed_init.proof.verifying import resuming, verifier
    from seed_init.proof.verifying.runs import Request

    request = Request(
        command=tuple(command),
        runs=runs,
        perturb=perturb,
        ignore_output=tuple(ignore_output),
        files=tuple(files),
        locate=locate,
        stdin=stdin,
        timeout=timeout,
        environment=environment,
        cwd=cwd,
        portable=portable,
        emulate=tuple(emulate),
        resume_after=resume_after,
        kill=kill,
        resume_command=tuple(resume_command),
    )
    verified = verifier.verify if resume_after is None else resuming.verify
    return verified(request)
