"""A transformer of one's own: scaled_dot_product_attention with dropout, and MultiheadAttention."""

import torch
from torch import nn


class Block(nn.Module):
    """Attention in two ways, and a network for each position."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.heads = heads
        self.mix = nn.Linear(width, 3 * width)
        self.other = nn.MultiheadAttention(width, heads, dropout=0.1, batch_first=True)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.forward_network = nn.Sequential(
            nn.Linear(width, 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, width)
        )

    def forward(self, hidden):
        batch, length, width = hidden.shape
        mixed = self.mix(self.norms[0](hidden)).view(batch, length, 3, self.heads, -1)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        rate = 0.1 if self.training else 0.0
        found = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=rate)
        hidden = hidden + found.transpose(1, 2).reshape(batch, length, width)
        normed = self.norms[1](hidden)
        hidden = hidden + self.other(normed, normed, normed, need_weights=False)[0]
        return hidden + self.forward_network(self.norms[2](hidden))


tokens = torch.randint(0, 50, (16, 24))
model = nn.Sequential(nn.Embedding(50, 32), Block(), Block(), nn.Linear(32, 50))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
for step in range(6):
    scores = model(tokens[:, :-1])
    loss = nn.functional.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
