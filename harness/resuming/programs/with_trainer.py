"""Train with the Trainer of Hugging Face, which writes its checkpoints, and go on from the last."""

import argparse

import torch
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint


class Parity(Dataset):
    """Sentences of tokens; the label is the parity of their sum."""

    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        self.tokens = torch.randint(0, 50, (48, 8), generator=generator)

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, index):
        return {"input_ids": self.tokens[index], "labels": self.tokens[index].sum() % 2}


parser = argparse.ArgumentParser()
parser.add_argument("--skip-nothing", action="store_true", help="leave the place in the data")
options = parser.parse_args()
config = BertConfig(
    vocab_size=50,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=16,
)
arguments = TrainingArguments(
    output_dir="checkpoints",
    num_train_epochs=3,
    per_device_train_batch_size=8,
    learning_rate=1e-3,
    report_to="none",
    save_steps=4,
    disable_tqdm=True,
    use_cpu=True,
    ignore_data_skip=options.skip_nothing,
)
trainer = Trainer(
    model=BertForSequenceClassification(config), args=arguments, train_dataset=Parity()
)
trainer.train(resume_from_checkpoint=get_last_checkpoint("checkpoints"))
