"""Play CartPole with random actions, as the first lines of Gymnasium's documentation do."""

import json

import gymnasium

environment = gymnasium.make("CartPole-v1")
episodes = []
for _ in range(5):
    observation, _ = environment.reset()
    actions, total, over = [], 0.0, False
    while not over:
        action = environment.action_space.sample()
        observation, reward, terminated, truncated, _ = environment.step(action)
        actions.append(int(action))
        total += float(reward)
        over = terminated or truncated
    episodes.append([total, actions, observation.tolist()])
environment.close()
print(json.dumps({"result": episodes}))
