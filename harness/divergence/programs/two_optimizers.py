"""A generative adversarial network: two networks, two optimizers, steps in turn."""

import torch
from torch import nn

generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(32, 1))
generator_optimizer = torch.optim.Adam(generator.parameters(), lr=0.001, betas=(0.5, 0.9))
critic_optimizer = torch.optim.Adam(critic.parameters(), lr=0.001, betas=(0.5, 0.9))
criterion = nn.BCEWithLogitsLoss()
for step in range(6):
    angle = 6.28 * torch.rand(64)
    true = torch.stack([angle.cos(), angle.sin()], dim=1)
    made = generator(torch.randn(64, 4))
    for _ in range(2):
        critic_optimizer.zero_grad()
        critic_loss = criterion(critic(true), torch.ones(64, 1))
        critic_loss = critic_loss + criterion(critic(made.detach()), torch.zeros(64, 1))
        critic_loss.backward()
        critic_optimizer.step()
    generator_optimizer.zero_grad()
    generator_loss = criterion(critic(made), torch.ones(64, 1))
    generator_loss.backward()
    generator_optimizer.step()
    print(f"step {step}: critic {critic_loss.item():.6f}, generator {generator_loss.item():.6f}")
