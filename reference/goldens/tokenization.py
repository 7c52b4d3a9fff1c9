"""Tiny tokenizers of each kind, and what Rust's `tokenizers` makes of texts with them.

Training depends on the order of hash tables, which differs from one process to the next: a tokenizer is trained once, and after that taken
from its fixture. Delete the fixture to train it anew.
"""

import json
from pathlib import Path

import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "The quick brown fox jumps over the lazy dog. The dog sleeps; the fox doesn't.",
    "Once upon a time there was a little girl named Lily. She liked to play in the park.",
    "In 1969, 600 million people watched; 2024 was the 55th anniversary.",
    "def add(a, b):\n    return a + b\n",
    "naïve café, Zürich, señor, Ελλάδα, Москва, 東京 and 한국어",
    "one two three four five six seven eight nine ten",
] * 4

TEXTS = [
    "",
    " ",
    "The quick brown fox",
    " the fox doesn't, it's lazy",
    "  two  spaces and\ttabs\n\nand lines \n ",
    "In 2024, 12345678 people",
    "naïve café Zürich",
    "Москва 東京 한국어",
    "emoji 🙂👩‍👩‍👧 and \u0000 control",
    "e\u0301 against é, ﬁ ligature, ＡＢ",
    "def add(a, b):\n    return a + b",
    "before<|end|>after <|end|> and <s>again</s>",
    "▁underline Ġbyte <0x41>",
    "antidisestablishmentarianism" * 5,
    "don't YOU'RE we'll",
    "a \u00a0 b\u2003c\u3000d",
    " \ufeff marks\ufeff ",
]

GPT4_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level() -> tuple[Tokenizer, dict]:
    """As GPT-2 and GPT-NeoX have it: no special token is added."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=330, initial_alphabet=sorted(alphabet), special_tokens=["<|end|>"], show_progress=False))
    return tok, {"bos_token": "<|end|>", "eos_token": "<|end|>", "tokenizer_class": "GPT2Tokenizer"}


def byte_level_split() -> tuple[Tokenizer, dict]:
    """As Llama 3 and Qwen have it: a regular expression splits, a beginning is added by template."""
    tok = Tokenizer(models.BPE(ignore_merges=True))
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(GPT4_SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tok.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=320, initial_alphabet=sorted(alphabet), show_progress=False))
    tok.add_special_tokens(["<s>", "</s>"])
    tok.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", tok.token_to_id("<s>"))])
    return tok, {"bos_token": {"content": "<s>", "lstrip": False}, "eos_token": "</s>"}


def byte_fallback() -> tuple[Tokenizer, dict]:
    """As Llama 2, Mistral and Gemma have it: spaces become ▁, what is unknown becomes bytes."""
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    learned = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    learned.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    learned.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    latin = [text for text in CORPUS if text.isascii()]
    learned.train_from_iterator(latin, trainers.BpeTrainer(vocab_size=360, special_tokens=special, show_progress=False))
    description = json.loads(learned.to_str())
    description["pre_tokenizer"] = None
    # The bytes are ordinary tokens there; only the first three are special.
    description["added_tokens"] = description["added_tokens"][:3]
    tok = Tokenizer.from_str(json.dumps(description))
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", tok.token_to_id("<s>"))])
    return tok, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "tokenizer_class": "LlamaTokenizer"}


def word_piece() -> tuple[Tokenizer, dict]:
    """As BERT has it, and the stories of SimpleStories: a text gets a beginning and an end."""
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece()
    tok.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=240, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False))
    tok.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 1), ("[SEP]", 2)])
    return tok, {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def unigram() -> tuple[Tokenizer, dict]:
    """As T5 has it."""
    tok = Tokenizer(models.Unigram())
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    tok.decoder = decoders.Metaspace()
    tok.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=200, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False))
    tok.post_processor = processors.TemplateProcessing("$A </s>", None, [("</s>", 1)])
    return tok, {"eos_token": "</s>", "unk_token": "<unk>"}


def word_level() -> tuple[Tokenizer, dict]:
    """As small synthetic languages have it: a word is a token."""
    tok = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tok.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tok.train_from_iterator(CORPUS, trainers.WordLevelTrainer(special_tokens=["[UNK]", "[BOS]"], show_progress=False))
    tok.post_processor = processors.TemplateProcessing("[BOS] $A", None, [("[BOS]", 1)])
    return tok, {"bos_token": "[BOS]"}


KINDS = {
    "byte-level": byte_level,
    "byte-level-split": byte_level_split,
    "byte-fallback": byte_fallback,
    "word-piece": word_piece,
    "unigram": unigram,
    "word-level": word_level,
}


def goldens(folder: Path) -> dict[str, dict]:
    return {name: golden(*kept(folder / f"{name}.json", make)) for name, make in KINDS.items()}


def kept(fixture: Path, make) -> tuple[Tokenizer, dict]:
    if not fixture.exists():
        return make()
    before = json.loads(fixture.read_text())
    return Tokenizer.from_str(json.dumps(before["tokenizer"])), before["config"]


def golden(tok: Tokenizer, config: dict) -> dict:
    cases = []
    for text in TEXTS:
        plain = tok.encode(text, add_special_tokens=False)
        cases.append(
            {
                "text": text,
                "ids": plain.ids,
                "withSpecial": tok.encode(text, add_special_tokens=True).ids,
                "decoded": tok.decode(plain.ids, skip_special_tokens=False),
            }
        )
    return {
        "tokenizers": tokenizers.__version__,
        "size": max(tok.get_vocab().values()) + 1,
        "config": config,
        # Decoded alone, a token may be half a letter.
        "tokens": [tok.decode([id], skip_special_tokens=False) for id in range(0, tok.get_vocab_size(), 7)],
        "tokenizer": json.loads(tok.to_str()),
        "cases": cases,
    }


def splits() -> list[dict]:
    """Pre-tokenizers alone: into which pieces each cuts the texts."""
    behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    patterns = [" ", "--", Regex(r"\d+|\s"), Regex(r"[aeiou]")]
    split = [
        pre_tokenizers.Split(pattern, behavior, invert)
        for pattern in patterns
        for behavior in behaviors
        for invert in (False, True)
    ]
    others = [
        *(pre_tokenizers.Punctuation(behavior) for behavior in behaviors),
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Whitespace(),
        pre_tokenizers.WhitespaceSplit(),
        pre_tokenizers.BertPreTokenizer(),
        pre_tokenizers.Metaspace(prepend_scheme="never"),
        pre_tokenizers.Metaspace(prepend_scheme="always", split=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Sequence([pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(individual_digits=True)]),
    ]
    texts = [*TEXTS[2:6], *TEXTS[10:12], TEXTS[-1], "a--b----c - d-", "  1 22  three...4,,5 ", "don't -- stop!?"]
    return [
        {
            "pre_tokenizer": json.loads(kind.__getstate__()),
            "cases": [{"text": text, "pieces": [piece for piece, _ in kind.pre_tokenize_str(text)]} for text in texts],
        }
        for kind in (*split, *others)
    ]
