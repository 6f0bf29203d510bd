"""What a rank draws first, as a JSON line. With KILL=FILE, rank 1 dies once, and makes the file.

The argument says by which library: torch, mpi4py, accelerate, lightning.
"""

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy
import torch

import seed_init


def tell(rank: int) -> None:
    made = numpy.random.default_rng().random()
    drawn = [random.random(), numpy.random.rand(), torch.rand(1).item(), made]
    status = seed_init.status()
    told = {"rank": rank, "drawn": drawn, "restart": status["restart"], "path": status["path"]}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def by_torch() -> None:
    import torch.distributed as dist

    dist.init_process_group("gloo")
    rank = dist.get_rank()
    dist.barrier()
    # Not by the count of restarts: the ranks may change places, and their agents count differently.
    mark = os.environ.get("KILL")
    if mark and rank == 1 and not Path(mark).exists():
        Path(mark).touch()
        os._exit(9)
    dist.barrier()
    tell(rank)
    dist.destroy_process_group()


def by_mpi4py() -> None:
    from mpi4py import MPI

    tell(MPI.COMM_WORLD.rank)


def by_accelerate() -> None:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    tell(accelerator.process_index)
    accelerator.end_training()


def by_lightning() -> None:
    import lightning

    class Model(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def on_train_start(self) -> None:
            tell(self.global_rank)

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return self.layer(batch[0]).mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    data = torch.utils.data.TensorDataset(torch.ones(8, 4))
    off = {
        "logger": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
    }
    trainer = lightning.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=1, **off)
    trainer.fit(Model(), torch.utils.data.DataLoader(data, batch_size=4))


if __name__ == "__main__":
    globals()[f"by_{sys.argv[1]}"]()
