"""Train a small BERT classifier with the Hugging Face Trainer for a few steps."""

import hashlib
import json
import tempfile

import torch
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

torch.set_num_threads(1)


class Parity(Dataset):
    """Random sentences of tokens; the label is the parity of their sum."""

    def __init__(self):
        self.tokens = torch.randint(0, 50, (64, 12))

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, index):
        return {"input_ids": self.tokens[index], "labels": self.tokens[index].sum() % 2}


config = BertConfig(
    vocab_size=50,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=16,
)
model = BertForSequenceClassification(config)
with tempfile.TemporaryDirectory() as directory:
    arguments = TrainingArguments(
        output_dir=directory,
        max_steps=8,
        per_device_train_batch_size=8,
        learning_rate=1e-3,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    outcome = Trainer(model=model, args=arguments, train_dataset=Parity()).train()
weights = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
result = {"loss": outcome.training_loss, "weights": hashlib.sha256(weights).hexdigest()}
print(json.dumps({"result": result}))
