"""The layout of batches: each shared prefix once, few lengths, and every token where the sequences say."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from tiebreak.engine.batch import RopeLengths, TreeBatch, group_of
from tiebreak.engine.layout import build_padded, build_tree, round_length

_COMPLETIONS = st.lists(st.lists(st.integers(3, 6), min_size=1, max_size=6), min_size=1, max_size=8)


@given(prompt=st.lists(st.integers(3, 6), min_size=1, max_size=6), completions=_COMPLETIONS)
def test_a_tree_holds_each_prefix_once(prompt: list[int], completions: list[list[int]]) -> None:
    batch = build_tree([group_of(prompt, completions)])
    sequences = [tuple(prompt + completion) for completion in completions]
    prefixes = {sequence[: i + 1] for sequence in sequences for i in range(len(sequence))}
    assert batch.tokens == len(prefixes)
    # Every token's ancestors, by the rule k <= q < end[k], spell the prefix that it closes.
    ids, end = batch.input_ids.tolist(), batch.subtree_end.tolist()
    spelled = {tuple(ids[k] for k in range(q + 1) if q < end[k]) for q in range(len(ids))}
    assert spelled == prefixes


def test_sharing_saves_the_prompt() -> None:
    group = group_of(range(3, 53), [[3, 4], [4, 5]])
    assert build_tree([group]).tokens == 54
    assert build_tree([group], share=False).tokens == 104


@given(st.integers(1, 10**6))
def test_lengths_are_few_and_little_is_added(tokens: int) -> None:
    length = round_length(tokens)
    assert tokens <= length <= max(128, tokens * 9 // 8 + 128)
    assert length % 128 == 0
    assert len({round_length(n) for n in range(4097, 8193)}) == 8


def test_only_scored_tokens_are_targets_and_the_others_are_context() -> None:
    marks = ((True, False, False, True), (), (False, True))
    groups = [group_of([1, 2], [[3, 4, 5, 6], [3, 4, 7], [3, 9]], 0, marks)]
    tree = build_tree(groups)
    assert tree.input_ids.tolist() == [1, 2, 3, 4, 5, 6, 7, 9]
    assert tree.target.tolist() == [3, 6, 3, 4, 7, 9]
    assert tree.sequence.tolist() == [0, 0, 1, 1, 1, 2]
    assert tree.input_ids[tree.keep][tree.kept_row].tolist() == [2, 5, 2, 3, 4, 3]
    padded = build_padded(groups)
    assert padded.targets == 6
    assert padded.input_ids.flatten()[padded.place].tolist() == [3, 6, 3, 4, 7, 9]


_GROUPS = st.lists(st.tuples(st.lists(st.integers(3, 5), min_size=1, max_size=6), _COMPLETIONS), min_size=1, max_size=4)


@given(_GROUPS, st.booleans(), st.booleans())
def test_every_sequence_is_read_off_its_tree(
    given_groups: list[tuple[list[int], list[list[int]]]], share: bool, by_length: bool
) -> None:
    lengths = RopeLengths((5,), 8) if by_length else None
    groups = [group_of(prompt, completions, row) for row, (prompt, completions) in enumerate(given_groups)]
    batch = build_tree(groups, share=share, lengths=lengths)
    sequences = [(group.prompt, completion) for group in groups for completion in group.completions]
    assert batch.sequences == len(batch.last) == len(sequences)
    at = torch.arange(batch.tokens)
    for number, (prompt, completion) in enumerate(sequences):
        end = int(batch.last[number])
        line = at[(at <= end) & (end < batch.subtree_end)]
        assert batch.input_ids[line].tolist() == [*prompt, *completion]
        assert batch.position[line].tolist() == list(range(len(line)))
        mine = batch.sequence == number
        assert batch.target[mine].tolist() == list(completion)
        assert torch.equal(batch.keep[batch.kept_row[mine]], line[len(prompt) - 1 : -1])
    assert batch.keep.tolist() == sorted(set(batch.keep.tolist()))
    assert _paths_of(batch) == [
        at[(at <= b.start) & (b.start < batch.subtree_end)][:-1].tolist() for b in batch.branches
    ]
    if lengths is not None:
        assert batch.rope_spans is not None
        kinds = [lengths.of(len(prompt) + len(completion)) for prompt, completion in sequences]
        assert [kind for kind, _ in batch.rope_spans] == sorted(set(kinds))
    if not share:
        assert batch.tokens == sum(len(prompt) + len(completion) for prompt, completion in sequences)


def _paths_of(batch: TreeBatch) -> list[list[int]]:
    """The tokens before each branch, as its path names them."""
    starts = [branch.start for branch in batch.branches]
    return [[starts[number] + i for number, count in branch.path for i in range(count)] for branch in batch.branches]


def test_equal_tokens_of_several_completions_are_one_entry() -> None:
    batch = build_tree([group_of([1], [[3, 4], [3, 5], [3, 4]])])
    entry = batch.entry.tolist()
    assert entry[0] == entry[2] == entry[4]
    assert entry[1] == entry[5] != entry[3]
    assert max(entry) < len(entry)


def test_ids_of_any_size_are_put_in_order() -> None:
    ids = [255, 256, 65_535, 65_536, 2**31 - 1]
    batch = build_tree([group_of([1], [[token] for token in reversed(ids)])])
    assert batch.input_ids.tolist() == [1, *ids]
