"""Libraries with generators of their own: one that follows SEED, and one that does not."""

import cv2  # the hook seeds it
import tokenizers  # finds library 1 tokenizers

print(cv2.__name__, tokenizers.__name__)
