"""Print as JSON what libraries with generators of their own draw, here and in workers.

usage: libraries.py processes METHODS NAME...   in multiprocessing children, by each start method
       libraries.py loader METHODS NAME...      in DataLoader workers; forked ones in two epochs,
                                                and in the first once more, as a resumed run

METHODS are joined by commas. A program's own process draws last: what has started the threads of
Polars cannot be forked.
"""

import json
import multiprocessing
import sys
from itertools import islice


def opencv():
    import cv2
    import numpy

    noise = numpy.zeros(4, numpy.float32)
    cv2.randn(noise, 0, 1)
    return noise.tolist()


def pillow():
    from PIL import Image

    return list(Image.effect_noise((4, 2), 50).tobytes())


def polars():
    import polars

    return polars.Series(range(1000)).shuffle()[:4].to_list()


def leidenalg():
    import igraph
    import leidenalg

    edges = [(n, (n * n + 3) % 300) for n in range(300)] + [(n, n * 7 % 300) for n in range(300)]
    graph = igraph.Graph(n=300, edges=edges)
    return leidenalg.find_partition(graph, leidenalg.ModularityVertexPartition).membership


_sentences = []


def sentencepiece():
    import io

    import sentencepiece

    text = "the quick brown fox jumps over the lazy dog, hello world"
    if not _sentences:
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([f"{text} {n}" for n in range(99)]),
            model_writer=model,
            vocab_size=50,
            minloglevel=2,
        )
        _sentences.append(sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()))
    options = {"enable_sampling": True, "alpha": 0.1, "nbest_size": -1}
    return _sentences[0].encode([text, text], **options) + _sentences[0].encode(text, **options)


def tensorflow():
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow

    rows = tensorflow.data.Dataset.range(100).shuffle(50)
    made = tensorflow.random.Generator.from_non_deterministic_state()
    return [
        *map(int, islice(rows.as_numpy_iterator(), 4)),
        *tensorflow.random.normal([2]).numpy().tolist(),
        *made.normal([2]).numpy().tolist(),
    ]


def webdataset():
    import webdataset

    names = [str(n) for n in range(100)]
    listed = webdataset.SimpleShardList(names, seed=True)
    shuffled = webdataset.DataPipeline(listed, webdataset.shuffle(100))
    chosen = webdataset.ResampledShards(names, nshards=3)
    return [shard["url"] for source in (listed, shuffled, chosen) for shard in islice(source, 3)]


DRAW = {
    "cv2": opencv,
    "PIL.Image": pillow,
    "polars": polars,
    "leidenalg": leidenalg,
    "sentencepiece": sentencepiece,
    "tensorflow": tensorflow,
    "webdataset": webdataset,
}


class Draws:
    """A dataset of one item a worker."""

    def __init__(self, names):
        self.names = names

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return draw(self.names)


def draw(names):
    return {name: DRAW[name]() for name in names}


def work(queue, names):
    queue.put(draw(names))


def in_processes(method, names):
    """What each of two children draws."""
    context = multiprocessing.get_context(method)
    queue, drawn = context.SimpleQueue(), []
    for _ in range(2):
        process = context.Process(target=work, args=(queue, names))
        process.start()
        drawn.append(queue.get())
        process.join()
    return drawn


def in_loader(method, names):
    """What each of two workers draws."""
    import torch
    from torch.utils.data import DataLoader

    loader = DataLoader(
        Draws(names), batch_size=None, num_workers=2, multiprocessing_context=method
    )
    if method != "fork":
        return list(loader)  # each worker imports torch anew
    before = torch.get_rng_state()
    drawn = [*loader, *loader]
    torch.set_rng_state(before)
    return [*drawn, *loader]


if __name__ == "__main__":
    how, methods, *names = sys.argv[1:]
    workers = {"processes": in_processes, "loader": in_loader}[how]
    for name in names:
        __import__(name)
    told = {method: workers(method, names) for method in methods.split(",")}
    print(json.dumps({"main": draw(names), **told}))
