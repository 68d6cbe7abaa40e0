"""Train in two processes and print what each of them has; the seed is drawn in each, and that of the first counts."""

import os
import sys

from loopcell import LanguageModel

if __name__ == "__main__":
    text = "the cat sat on the mat. the dog ate the cat.\n" * 20
    model = LanguageModel(
        cell="gru",
        hidden_size=8,
        num_layers=1,
        batch_size=2,
        chunk=8,
        updates=6,
        evaluate_every=2,
        device="cpu",
        devices=2,
        random_state=None,
    )
    model.fit(text)
    total = sum(float(tensor.double().sum()) for tensor in model.network_.state_dict().values())
    sys.stdout.write(f"{os.environ.get('LOCAL_RANK', '0')} {total} {model.held_out_.model['bits/char']}\n")
