"""The one way to load a tokenizer: ids of tokenizer.json, text that survives, control tokens that stay letters."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tests import tiny
from thinksafe.models.folder import load_tokenizer
from thinksafe.models.tokenizer import PROBE, _copied, _shared, controls, decode, encode, encode_pieces, encode_plain

LETTERS = [f"<0x{byte:02X}>" for byte in range(256)]


def saved(folder, tokenizer, **settings):
    """Save a tokenizer with further settings in its tokenizer_config.json."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    (folder / "config.json").write_text(json.dumps({"model_type": settings.get("model_type", "llama")}))
    return folder


def metaspace():
    """A tokenizer as SentencePiece makes them (Mistral, WildGuard): blanks are marked, other letters are bytes."""
    vocabulary = {
        token: n for n, token in enumerate(["<unk>", "<s>", "</s>", *LETTERS, "▁", *"abcdefghijklmnopq<>/s|"])
    }
    made = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def test_the_class_named_beside_a_byte_level_tokenizer_does_not_count(tmp_path):
    """DeepSeek-R1-Distill-Llama's folder names LlamaTokenizerFast, with which transformers deletes blanks."""
    folder = saved(tmp_path, tiny.make_tokenizer("r1"), tokenizer_class="LlamaTokenizerFast", legacy=True)
    text = "Tell me how to bake bread.\n\nThen eat it."
    wrong = AutoTokenizer.from_pretrained(folder)
    assert wrong.decode(wrong.encode(text, add_special_tokens=False)) != text  # else this guards against nothing
    tokenizer = load_tokenizer(folder)
    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert encode(tokenizer, text) == raw.encode(text, add_special_tokens=False).ids
    assert decode(tokenizer, encode(tokenizer, text)) == text


@pytest.mark.parametrize(
    "break_it",
    [
        lambda tokenizer: setattr(tokenizer, "normalizer", normalizers.Lowercase()),
        lambda tokenizer: setattr(tokenizer, "normalizer", normalizers.Replace("\n", " ")),
        lambda tokenizer: setattr(tokenizer, "normalizer", normalizers.NFKD()),
        lambda tokenizer: setattr(tokenizer, "pre_tokenizer", pre_tokenizers.Metaspace()),
        lambda tokenizer: setattr(tokenizer, "decoder", decoders.Metaspace()),
    ],
)
def test_a_tokenizer_that_changes_text_is_refused_by_name(break_it, tmp_path):
    made = tiny.make_tokenizer("qwen3")
    break_it(made.backend_tokenizer)
    with pytest.raises(ValueError, match="changes text.*becomes") as error:
        load_tokenizer(saved(tmp_path / "broken", made))
    assert str(tmp_path / "broken") in str(error.value) and "`source`" in str(error.value)


def test_a_truncation_that_the_file_asks_for_cuts_nothing(tmp_path):
    made = tiny.make_tokenizer("qwen3")
    made.backend_tokenizer.enable_truncation(4)
    assert len(encode(load_tokenizer(saved(tmp_path, made)), PROBE)) > 40


@pytest.fixture(scope="module", params=["qwen3", "r1", "other", "metaspace"])
def tokenizer(request, tmp_path_factory):
    made = metaspace() if request.param == "metaspace" else tiny.make_tokenizer(request.param)
    return load_tokenizer(saved(tmp_path_factory.mktemp("model"), made))


@given(data=st.data())
def test_untrusted_text_survives_and_holds_no_control_token(tokenizer, data):
    marks = sorted(controls(tokenizer))
    text = "".join(
        data.draw(st.lists(st.sampled_from([*marks, "<", "\n", " ", "<<"]) | st.text(max_size=8), max_size=8))
    )
    text = text.encode("utf-8", "ignore").decode()  # no lone surrogates
    ids = encode_plain(tokenizer, text)
    assert decode(tokenizer, ids) == text
    assert not controls(tokenizer).intersection(tokenizer.convert_ids_to_tokens(ids))


@given(data=st.data())
def test_pieces_are_encoded_as_one_text(tokenizer, data):
    """Trusted marks around untrusted text: the seams cost nothing, and each id knows its characters."""
    marks = sorted(controls(tokenizer))
    words = st.text("abc \n<", max_size=6)
    pieces = data.draw(
        st.lists(st.tuples(st.sampled_from(marks) | words, st.just(True)) | st.tuples(words, st.just(False)))
    )
    whole = "".join(text for text, _ in pieces)
    ids, spans = encode_pieces(tokenizer, pieces)
    exact = "▁" not in tokenizer.get_vocab()  # Llama's own normalizer puts a blank after each control token
    assert not exact or decode(tokenizer, ids) == whole
    if not any(mark in whole for mark in marks if mark not in [text for text, _ in pieces]):
        assert ids == encode(tokenizer, whole)
    hostile = [*pieces, (marks[0], False)]
    ids, spans = encode_pieces(tokenizer, hostile)
    assert not exact or decode(tokenizer, ids) == whole + marks[0]
    read = [token for token in tokenizer.convert_ids_to_tokens(ids) if token in marks]
    assert read == [text for text, trusted in pieces if trusted and text in marks]
    assert all(start <= end <= len(whole + marks[0]) for start, end in spans) and spans == sorted(spans)


@pytest.mark.parametrize("family", ["qwen3", "r1", "other"])
@given(
    parts=st.lists(st.sampled_from(["<|im_end|>", "<|im_", "start|>", "hello", " é\n", "<think>", "12", "  ", "<s>"]))
)
@settings(max_examples=50)
def test_a_shared_model_gives_the_ids_of_a_copy(family, parts):
    """The two ways to a tokenizer that reads no control token, of which the shared one takes no time."""
    tokenizer, text = tiny.make_tokenizer(family), "".join(parts)
    names = {token: f"secret{number}" for number, token in enumerate(sorted(controls(tokenizer)))}
    (shared, ids), (copied, same) = (way(tokenizer, names) for way in (_shared, _copied))
    found = shared.encode(text + "secret1", add_special_tokens=False).ids
    assert [ids.get(number, number) for number in found] == copied.encode(
        text + "secret1", add_special_tokens=False
    ).ids
    assert ids and not same
