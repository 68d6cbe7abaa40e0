"""flair: a sequence tagger with a CRF, and its character language model."""

from __future__ import annotations

import flair
import torch
from flair.data import Dictionary, Sentence
from flair.embeddings import DocumentRNNEmbeddings, OneHotEmbeddings
from flair.models import LanguageModel, SequenceTagger

WORDS = ["the", "cat", "sat", "on", "a", "mat", "dogs", "run", "in", "green", "parks", "."]


def sentences():
    found = []
    for length in (5, 3, 7, 4, 6, 2):
        words = [WORDS[int(index)] for index in torch.randint(len(WORDS), (length,))]
        sentence = Sentence(words, use_tokenizer=False)
        for token in sentence:
            token.add_label("kind", "short" if len(token.text) < 3 else "long")
        found.append(sentence)
    return found


def losses_of(net, loss, rounds=8):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    losses = []
    for _ in range(rounds):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


def run():
    flair.device = torch.device("cpu")
    flair.set_seed(0)
    torch.use_deterministic_algorithms(mode=False)  # the CRF's gradient has no deterministic form
    text = sentences()
    tags, vocabulary = Dictionary(add_unk=False), Dictionary()
    for tag in ("short", "long"):
        tags.add_item(tag)
    for word in WORDS:
        vocabulary.add_item(word)
    embeddings = OneHotEmbeddings(vocabulary, embedding_length=9)
    numbers = {}

    def loss_of(tagger):
        for sentence in text:
            sentence.clear_embeddings()  # which learn too
        return tagger.forward_loss(text)[0]

    for kind in ("LSTM", "GRU"):
        tagger = SequenceTagger(
            embeddings, tags, "kind", rnn_type=kind, hidden_size=8, rnn_layers=2, use_crf=True, tag_format="BIOES"
        )
        numbers[f"tagger {kind}"] = losses_of(tagger, lambda tagger=tagger: loss_of(tagger))
    documents = DocumentRNNEmbeddings([embeddings], hidden_size=6, rnn_type="GRU", bidirectional=True)
    for sentence in text:
        sentence.clear_embeddings()
    documents.embed(text)
    numbers["documents"] = torch.stack([sentence.embedding for sentence in text])
    model = LanguageModel(vocabulary, is_forward_lm=True, hidden_size=10, nlayers=2, embedding_size=7, dropout=0.1)
    letters = torch.randint(len(WORDS), (15, 4))

    def next_letter():
        scores, _, _ = model(letters[:-1], model.init_hidden(4))
        return torch.nn.functional.cross_entropy(scores.flatten(0, 1), letters[1:].flatten())

    numbers["language model"] = losses_of(model, next_letter)
    return numbers
