"""PyTorch's own TransformerEncoder on padded sequences, compared with a held-out set."""

import torch
from torch import nn


class Classifier(nn.Module):
    """Tells whether a sequence has more ones than twos."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(4, 32, padding_idx=0)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(32, 2)

    def forward(self, tokens):
        hidden = self.encoder(self.embedding(tokens), src_key_padding_mask=tokens == 0)
        return self.head(hidden.mean(dim=1))


tokens = torch.randint(1, 4, (96, 20))
tokens[torch.arange(20) >= torch.randint(5, 21, (96, 1))] = 0
labels = ((tokens == 1).sum(dim=1) > (tokens == 2).sum(dim=1)).long()
model = Classifier()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.002)
for epoch in range(3):
    model.train()
    for chosen in torch.randperm(64).split(16):
        loss = nn.functional.cross_entropy(model(tokens[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        right = (model(tokens[64:]).argmax(dim=1) == labels[64:]).float().mean()
    print(f"epoch {epoch}: loss {loss.item():.6f}, right {right:.3f}")
