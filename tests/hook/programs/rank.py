"""Write as JSON what this rank draws.

usage: rank.py DIRECTORY
"""

import json
import os
import random
import sys
from pathlib import Path

import torch

drawn = [random.random(), torch.rand(1).item()]
(Path(sys.argv[1]) / f"{os.environ['RANK']}.json").write_text(json.dumps(drawn))
