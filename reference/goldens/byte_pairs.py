"""Byte-pair encodings that Rust's `tokenizers` trains."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXT = """Once there was a small fox in the forest. The fox had a red ball, and the dogs near the fox wanted the ball.
"Who has the ball?" said the dogs. "I have the ball," said the fox; it wasn't the dogs' ball, it's the fox's!
Numbers: 1, 22, 333, 4444, 55555. aaaa aaaaaaaa aaa. abababab ababab. mississippi mississippi banana bananas.
naïve café, naïve cafés: 日本語 日本, 🦊🦊🦊.\n\n\n   indented   words\tand tabs\t\tand more   \n"""
PROBES = [TEXT, "the foxes had bananas", " ünknown 字 words\r\n", "", "aaaaa", "don't they'll we've"]


def goldens() -> dict:
    records = []
    for size, least in [(300, 2), (420, 1), (1000, 2)]:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=least,
            special_tokens=["<eos>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator([TEXT, TEXT[:200]], trainer)
        vocab = tokenizer.get_vocab()
        records.append(
            {
                "size": size,
                "least": least,
                "vocab": sorted(vocab, key=vocab.get),
                "ids": [tokenizer.encode(probe).ids for probe in PROBES],
            }
        )
    return {"texts": [TEXT, TEXT[:200]], "probes": PROBES, "trained": records}
