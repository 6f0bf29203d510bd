# SPDX-License-Identifier: Apache-2.0
"""The instrument `emulated` reports a Python that is not in the emulator, although it should be.

qemu-user hands `exec` to the kernel: a program that the emulated one starts runs on this machine's
own CPU. What it computes says nothing about the CPU that is emulated.
"""

import os
import sys

from seed_init.proof.observer import core


class LeftEmulator(Exception):
    """This process has left the emulator."""


def start() -> None:
    """Report where this process is not in the emulator.

    qemu-user tells a process of /proc/self/exe what the process would see without it, and passes
    /proc/thread-self/exe on to the kernel (linux-user/syscall.c).
    """
    inside, told = map(os.readlink, ("/proc/thread-self/exe", "/proc/self/exe"))
    if inside != told:
        return
    if any("multiprocessing.resource_tracker" in word for word in sys.orig_argv):
        return  # it computes nothing
    error = LeftEmulator("a program that is started by exec runs on this machine's own CPU")
    core.report_failure("emulating a process that the command has started", error)
