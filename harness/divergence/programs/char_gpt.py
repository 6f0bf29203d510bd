"""A small GPT on the characters of a text; it writes a line at the end."""

import torch
from torch import nn

TEXT = """
Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date.
"""
CONTEXT = 32


class Block(nn.Module):
    """Causal attention and a network for each position."""

    def __init__(self, width, heads):
        super().__init__()
        self.before_attention, self.before_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout=0.1, batch_first=True)
        self.network = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1)
        )

    def forward(self, hidden):
        length = hidden.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        normed = self.before_attention(hidden)
        hidden = hidden + self.attention(normed, normed, normed, attn_mask=mask)[0]
        return hidden + self.network(self.before_network(hidden))


class GPT(nn.Module):
    """Scores for the next character at each position."""

    def __init__(self, characters, width=32):
        super().__init__()
        self.characters = nn.Embedding(characters, width)
        self.places = nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(Block(width, 4), Block(width, 4))
        self.head = nn.Linear(width, characters, bias=False)
        self.head.weight = self.characters.weight

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1])
        return self.head(self.blocks(self.characters(tokens) + self.places(places)))


known = sorted(set(TEXT))
data = torch.tensor([known.index(character) for character in TEXT])
model = GPT(len(known))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
for step in range(8):
    starts = torch.randint(len(data) - CONTEXT - 1, (16,)).tolist()
    batch = torch.stack([data[start : start + CONTEXT + 1] for start in starts])
    scores = model(batch[:, :-1])
    loss = nn.functional.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
model.eval()
written = data[:1]
with torch.no_grad():
    for _ in range(CONTEXT - 1):
        chances = model(written[None])[0, -1].softmax(dim=0)
        written = torch.cat([written, torch.multinomial(chances, 1)])
print(repr("".join(known[token] for token in written)))
