"""Sample text from a small GPT-2 that has never been trained."""

import json

import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.set_num_threads(1)
config = GPT2Config(
    vocab_size=200, n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=199
)
model = GPT2LMHeadModel(config).eval()
prompt = torch.tensor([[1, 2, 3]])
tokens = model.generate(
    prompt,
    attention_mask=torch.ones_like(prompt),
    do_sample=True,
    temperature=0.9,
    max_new_tokens=30,
    num_return_sequences=3,
    pad_token_id=0,
)
print(json.dumps({"result": tokens.tolist()}))
