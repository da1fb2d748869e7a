"""Nuclei through time: the truth of a sample again, divisions, and nuclei that were missed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.tracking import follow
from napari_unet_seg.io.samples import sample_layers
from tests.core.test_linking import apart, discs


def at(movie, tracks, time, y, x):
    """The track at a place."""
    return int(tracks.track[movie[time, y, x]])


def test_the_truth_of_the_sample_is_found_again():
    truth = sample_layers("movie")[-1][0]
    movie = apart(truth)
    tracks = follow(movie)
    assert tracks.count == len(np.unique(truth)) - 1 == 47
    assert len(set(zip(tracks.track[movie[movie > 0]].tolist(), truth[truth > 0].tolist(), strict=True))) == 47
    mothers = tracks.parent[tracks.parent > 0]
    assert mothers.size == 2, "one nucleus divides"
    assert len(set(mothers.tolist())) == 1


def test_tracks_are_numbered_by_their_first_time():
    movie = discs([(20, 20, 8)], [(22, 20, 8), (50, 50, 8)], [(24, 20, 8), (50, 50, 8)])
    tracks = follow(movie)
    assert [at(movie, tracks, time, 22, 20) for time in range(3)] == [1, 1, 1]
    assert [at(movie, tracks, time, 50, 50) for time in (1, 2)] == [2, 2]
    assert tracks.parent.tolist() == [0, 0, 0]
    assert tracks.track[0] == 0


def test_the_better_overlap_wins():
    movie = discs([(20, 20, 8), (20, 38, 8)], [(20, 24, 8), (20, 42, 8)])
    tracks = follow(movie)
    assert at(movie, tracks, 1, 20, 24) == at(movie, tracks, 0, 20, 20)
    assert at(movie, tracks, 1, 20, 42) == at(movie, tracks, 0, 20, 38)


@pytest.mark.parametrize(
    "daughters",
    [[(32, 27, 6.5), (32, 41, 6.5)], [(32, 20, 7), (32, 44, 7)], [(32, 30, 8), (32, 47, 8)]],
    ids=["on her", "beside her", "one almost where she was"],
)
def test_a_division_has_a_mother_and_two_daughters(daughters):
    movie = discs([(32, 34, 10)], [(32, 34, 10)], daughters, daughters)
    tracks = follow(movie)
    places = [(y, x) for y, x, _ in daughters]
    first, second = (at(movie, tracks, 2, *place) for place in places)
    assert {first, second} == {2, 3}
    assert tracks.parent.tolist() == [0, 0, 1, 1]
    assert [at(movie, tracks, 3, *place) for place in places] == [first, second]


def test_a_stranger_that_appears_is_no_daughter():
    movie = discs([(32, 20, 9)], [(32, 20, 9), (32, 44, 9)])
    assert follow(movie).parent.tolist() == [0, 0, 0]
    ends = discs([(32, 10, 9)], [(14, 50, 8), (50, 50, 8)])
    assert follow(ends).parent.tolist() == [0, 0, 0, 0]


def test_daughters_are_of_one_size():
    movie = discs([(32, 34, 10)], [(32, 27, 8), (32, 44, 3)])
    assert not follow(movie).parent.any()


def test_two_that_were_taken_for_one_are_no_daughters():
    pair = [(32, 24, 8), (32, 42, 8)]
    movie = discs(pair, [(32, 33, 15)], pair)
    tracks = follow(movie)
    assert not tracks.parent.any()
    assert [at(movie, tracks, 2, 32, x) for x in (24, 42)] == [at(movie, tracks, 0, 32, x) for x in (24, 42)]


def test_a_nucleus_that_is_missed_once_is_found_again_and_twice_not():
    seen, nothing = [(32, 32, 9)], []
    assert follow(discs(seen, nothing, seen)).count == 1
    assert follow(discs(seen, nothing, nothing, seen)).count == 2


def test_volumes_are_followed_and_divide():
    y, x = np.mgrid[:64, :64]
    movie = np.zeros((3, 3, 64, 64), np.int32)
    movie[0, :, (y - 32) ** 2 + (x - 34) ** 2 <= 100] = 1
    movie[1, :, (y - 32) ** 2 + (x - 34) ** 2 <= 100] = 2
    for number, column in ((3, 24), (4, 44)):
        movie[2, :, (y - 32) ** 2 + (x - column) ** 2 <= 49] = number
    tracks = follow(movie, 3.0)
    assert tracks.track.tolist() == [0, 1, 1, 2, 3]
    assert tracks.parent.tolist() == [0, 0, 1, 1]


def test_no_nuclei():
    assert follow(np.zeros((3, 8, 8), np.int32)).count == 0
