"""The recorder: profiles in the background, and never holds up or ends a server."""

from __future__ import annotations

import logging

import numpy as np

from autorec_core.errors import DataError
from flows.registry.versions import Version
from flows.watching.journal import MOST_WINDOWS, WINDOW_ROWS, Journal, Watched
from flows.watching.profile import Profile
from flows.watching.recorder import MOST_ROWS, Recorder, Scored
from flows.watching.reference import Binned, Reference

REFERENCE = Reference(
    1,
    {"item": Binned([1] * 65), "age": Binned([1, 1, 0], [30.0])},
    None,
    Binned([1, 1, 0], [3.0]),
    {},
    "mse",
    None,
)


def scored(items: list, ages: list, version: int = 1) -> Scored:
    scores = np.linspace(1, 5, len(items))
    columns = {"item": items, "age": ages}
    unknown = {"item": (1, len(items))}
    number = Version("x", version, (), {}, 0)
    return Scored(number, columns, scores, unknown, ("NA",), 0.003)


def recorded(folder, requests: list[Scored], reference_of=lambda _: REFERENCE) -> Journal:
    journal = Journal(folder)
    recorder = Recorder(journal, reference_of)
    recorder.start()
    for request in requests:
        recorder.add(request)
    recorder.stop()
    return journal


def test_requests_are_counted_together_whatever_form_their_values_have(tmp_path):
    requests = [scored([7, "7", 7.0, None], [20, 40, None, "NA"]), scored(["new"], [30])]

    total = recorded(tmp_path, requests).scored(1).total

    assert (total.rows, total.requests) == (5, 2)
    assert sorted(total.columns["item"][:-1])[-2:] == [1, 3]  # 7 is one category in each form
    assert total.columns["item"][-1] == 1
    assert total.columns["age"] == [2, 1, 2]
    assert total.unknown == {"item": [2, 5]}
    assert (sum(total.scores), total.seconds[2]) == (5, 2)


def test_a_version_that_cannot_be_read_is_not_watched_and_the_others_are(tmp_path, caplog):
    def reference_of(version: Version) -> Reference:
        if version.number == 2:
            raise DataError("It is damaged.")
        return REFERENCE

    requests = [scored([1], [1], version=2), scored([1], [1])]
    with caplog.at_level(logging.WARNING):
        journal = recorded(tmp_path, requests, reference_of)

    assert (journal.scored(2).total.rows, journal.scored(1).total.rows) == (0, 1)
    assert "Version 2 is not watched: It is damaged." in caplog.text


def test_more_rows_than_fit_are_left_out(tmp_path):
    recorder = Recorder(Journal(tmp_path), lambda _: REFERENCE)  # not started: nothing is taken

    many = scored([1] * MOST_ROWS, [1] * MOST_ROWS)
    recorder.add(many)
    recorder.add(scored([1], [1]))

    assert recorder.left_out == 1


def test_counts_of_several_servers_add_up_and_old_windows_go(tmp_path):
    journal, other = Journal(tmp_path), Journal(tmp_path)
    journal.add(1, Profile(rows=600, requests=1, scores=[600, 0]))
    other.add(1, Profile(rows=600, requests=1, scores=[0, 600]))

    assert journal.scored(1).total.scores == [600, 600]
    watched = Watched()
    for _ in range(2 * MOST_WINDOWS):
        watched.add(Profile(rows=WINDOW_ROWS))
    assert (len(watched.windows), watched.total.rows) == (MOST_WINDOWS, 2 * 48 * WINDOW_ROWS)
