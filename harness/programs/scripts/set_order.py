"""Number the words of a text in the order of a set, as a careless tokenizer does."""

import json

TEXT = """
the order of a set of strings depends on their hashes and these change from one start of the
interpreter to the next unless the environment says otherwise before it starts
"""

vocabulary = {word: number for number, word in enumerate(set(TEXT.split()))}
encoded = [vocabulary[word] for word in TEXT.split()]
print(json.dumps({"result": {"vocabulary": list(vocabulary), "encoded": encoded}}))
