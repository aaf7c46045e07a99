"""Human studies: what is asked, how it is dealt, kept and told; each against a slower version from the definition."""

import csv
import io
import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from human_studies import METHODS, rate_all, right_answer, small_study
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.errors import CheckpointError, OutputError
from neuronexplain.metrics.rated import difference_of_ratings, mean_rating
from neuronexplain.studies.human.csv_tables import questions_csv, ratings_csv, read_ratings
from neuronexplain.studies.human.dealing import Deal, Plan
from neuronexplain.studies.human.errors import StudyError
from neuronexplain.studies.human.folder import claim, open_study, require_pictures
from neuronexplain.studies.human.questions import SCALE, SENTENCE, Rating, Solution, answers_of, score, turned
from neuronexplain.studies.human.ratings import PATIENCE, Ratings
from neuronexplain.studies.human.results import PLAYED, StudyResults, table


class Clock:
    """A time that a test sets."""

    now = 1000.0

    def __call__(self):
        return self.now


# Dealing


def slow_next(plan, rater, asked, deals):
    """The definition, question by question."""
    if len(asked) == plan.per_rater:
        return None
    best, best_rank = None, None
    for question, image in plan.images.items():
        if question in asked:
            continue
        count = 0
        for deal in deals.get(question, []):
            if deal.counts:
                count += 1
        if count >= plan.ratings:
            continue
        views = 0
        for other in asked:
            if plan.images[other] == image:
                views += 1
        rank = (count, views, plan._dice(rater, question))
        if best_rank is None or rank < best_rank:
            best, best_rank = question, rank
    return best


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_next_question_is_its_definition(data):
    questions = [f"q{number}" for number in range(data.draw(st.integers(1, 6)))]
    images = {question: f"i{data.draw(st.integers(0, 2))}" for question in questions}
    plan = Plan(images, data.draw(st.integers(1, 3)), data.draw(st.integers(1, 6)), data.draw(st.integers(0, 3)))
    deals = {
        question: [
            Deal(question, flag, counts)
            for flag, counts in data.draw(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=4))
        ]
        for question in questions
    }
    asked = data.draw(st.sets(st.sampled_from(questions), max_size=min(plan.per_rater, len(questions))))
    assert plan.next_question("ann", asked, deals) == slow_next(plan, "ann", asked, deals)


@pytest.mark.parametrize("kind", ["discrimination", "trust"])
def test_counts_and_sides_stay_balanced_while_ratings_come_in(tmp_path, kind):
    """Raters come and go in a random order; after every single rating, questions are rated evenly, on either side."""
    study, dice = small_study(tmp_path / "s", kind, images=4, ratings=5, per_rater=9), np.random.default_rng(1)
    sides = {question: Counter() for question in study.questions}
    seen: dict[str, list[str]] = {}
    with Ratings(study, "played", clock=Clock()) as ratings:
        tokens = [ratings.consent() for _ in range(14)]
        while tokens:
            token = tokens[dice.integers(len(tokens))]
            asked = ratings.ask(token)
            if asked is None:
                tokens.remove(token)
                continue
            assert ratings.answer(token, asked.deal, answers_of(kind)[0]) == "kept"
            sides[asked.question][asked.swapped] += 1
            seen.setdefault(token, []).append(asked.question)
            for counts in sides.values():
                assert abs(counts[True] - counts[False]) <= 1
                assert counts.total() <= 5
        total = ratings.turnout
    assert all(len(set(questions)) == len(questions) <= 9 for questions in seen.values())
    assert total.ratings == sum(counts.total() for counts in sides.values())
    assert max(counts.total() for counts in sides.values()) - min(counts.total() for counts in sides.values()) <= 1
    swapped = sum(counts[True] for counts in sides.values())
    assert abs(2 * swapped - total.ratings) <= len(study.questions)


def test_the_same_seed_deals_alike_and_a_rater_sees_images_in_turn():
    images = {f"q{number}": f"i{number // 4}" for number in range(12)}
    plans = [Plan(images, 9, 75, seed) for seed in (1, 1, 2)]

    def dealt(plan):
        asked = []
        while (question := plan.next_question("ann", asked, {})) is not None:
            asked.append(question)
        return asked

    orders = [dealt(plan) for plan in plans]
    assert orders[0] == orders[1] != orders[2]
    assert all(
        {images[question] for question in order[start : start + 3]} == {"i0", "i1", "i2"}
        for order in orders
        for start in (0, 3, 6, 9)
    )


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=6), st.lists(st.booleans(), max_size=6))
def test_the_side_is_the_questions_rarer_one_then_the_raters(of_question, of_rater):
    plan = Plan({"q": "i"}, 9, 75)
    deals = [Deal("q", swapped, counts) for swapped, counts in of_question]
    mine = [Deal("p", swapped) for swapped in of_rater]
    right = sum(swapped for swapped, counts in of_question if counts)
    left = sum(not swapped for swapped, counts in of_question if counts)
    if right == left:
        right, left = sum(of_rater), len(of_rater) - sum(of_rater)
    if right != left:
        assert plan.is_swapped("q", deals, mine) == (right < left)


# Ratings


def test_a_rater_is_asked_the_open_question_again_and_answers_once(tmp_path):
    study = small_study(tmp_path / "s")
    with Ratings(study, "people") as ratings:
        token = ratings.consent()
        asked = ratings.ask(token)
        assert ratings.ask(token) == asked  # a reload
        assert ratings.answer(token, asked.deal, 7) == "not one of the answers"
        assert ratings.answer(token, "nonsense", 1) == "no such question"
        assert ratings.answer("nobody", asked.deal, 1) == "no such question"
        assert ratings.answer(ratings.consent(), asked.deal, 1) == "no such question"  # of somebody else
        assert ratings.answer(token, asked.deal, 1) == "kept"
        assert ratings.answer(token, asked.deal, 0) == "already answered"
        (rating,) = ratings.all()
        assert (rating.question, rating.answer) == (asked.question, 0 if asked.swapped else 1)
        following = ratings.ask(token)
        assert following.question != asked.question
        assert (following.number, following.total) == (2, len(study.questions))


def test_an_answer_that_came_too_late_is_not_kept(tmp_path):
    study, clock = small_study(tmp_path / "s", images=1, ratings=1, visualisations=METHODS[:1]), Clock()
    with Ratings(study, "people", clock=clock) as ratings:
        slow, fast = ratings.consent(), ratings.consent()
        left_open = ratings.ask(slow)
        other = ratings.ask(fast)
        assert other.question != left_open.question  # an open question is kept for its rater
        assert ratings.answer(fast, other.deal, 0) == "kept"
        assert ratings.ask(fast) is None
        clock.now += PATIENCE + 1
        again = ratings.ask(fast)  # but not for ever
        assert again.question == left_open.question
        assert ratings.answer(fast, again.deal, 0) == "kept"
        assert ratings.answer(slow, left_open.deal, 0) == "no longer needed"
        assert ratings.answer(slow, left_open.deal, 0) == "no such question"
        assert ratings.ask(slow) is None
        assert Counter(rating.question for rating in ratings.all()) == dict.fromkeys(study.questions, 1)


def test_who_stops_frees_the_question_and_who_withdraws_leaves_nothing(tmp_path):
    study = small_study(tmp_path / "s", images=1, ratings=1, visualisations=METHODS[:1])
    with Ratings(study, "people") as ratings:
        token, other = ratings.consent(), ratings.consent()
        first = ratings.ask(token)
        assert ratings.answer(token, first.deal, 0) == "kept"
        open_one = ratings.ask(token)
        assert ratings.ask(other) is None
        ratings.stop(token)
        assert ratings.has_stopped(token)
        assert ratings.ask(other).question == open_one.question
        ratings.withdraw(token)
        assert not ratings.is_rater(token)
        assert ratings.ask(token) is None
        assert ratings.all() == []
        assert ratings.answered(token) == 0
    assert token.encode() not in (study.folder / "ratings.db").read_bytes()


def test_raters_at_the_same_moment_get_no_question_too_often(tmp_path):
    study = small_study(tmp_path / "s", images=2, ratings=3, visualisations=METHODS[:1])
    troubles = []

    def rate(ratings):
        try:
            token = ratings.consent()
            while (asked := ratings.ask(token)) is not None:
                assert ratings.answer(token, asked.deal, 0) in {"kept", "no longer needed"}
        except Exception as error:  # noqa: BLE001
            troubles.append(error)

    with Ratings(study, "people") as ratings:
        threads = [threading.Thread(target=rate, args=[ratings]) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert troubles == []
        assert Counter(rating.question for rating in ratings.all()) == dict.fromkeys(study.questions, 3)


RATE = """
import sys
from pathlib import Path
from neuronexplain.studies.human.folder import open_study
from neuronexplain.studies.human.ratings import Ratings
study = open_study(Path(sys.argv[1]))
ratings = Ratings(study, "people")
while True:
    token = ratings.consent()
    while (asked := ratings.ask(token)) is not None:
        ratings.answer(token, asked.deal, 0)
        print(asked.question, flush=True)
"""


def test_a_rating_survives_a_kill(tmp_path):
    study = small_study(tmp_path / "s", images=3)
    said = []
    for lives in range(1, 4):
        child = subprocess.Popen([sys.executable, "-c", RATE, str(study.folder)], stdout=subprocess.PIPE, text=True)
        said += [child.stdout.readline().strip() for _ in range(4)]
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read().split("\n")[:-1]
        child.wait()
        child.stdout.close()
        with Ratings(study, "people") as ratings:
            kept = Counter(rating.question for rating in ratings.all())
        assert kept >= Counter(said)
        assert kept.total() <= len(said) + lives  # one of each life may be kept that nobody was told of


def test_ratings_of_another_study_or_of_other_raters_are_refused(tmp_path):
    first, second = small_study(tmp_path / "a"), small_study(tmp_path / "b", seed=1)
    with Ratings(first, "people") as ratings:
        ratings.consent()
    (first.folder / "ratings.db").replace(second.folder / "ratings.db")
    with pytest.raises(StudyError, match="of another study"):
        Ratings(second, "people")
    (second.folder / "ratings.db").replace(first.folder / "played.db")
    with pytest.raises(StudyError, match="ratings of people, which are never mixed with those of played raters"):
        Ratings(first, "played")
    (first.folder / "ratings.db").write_bytes(b"not a database at all" * 99)
    with pytest.raises(StudyError, match="file is not a database"):
        Ratings(first, "people")


# Figures


@pytest.mark.parametrize("seed", [0, 7])
def test_intervals_are_the_definition_of_the_pigeonhole_bootstrap(seed):
    dice, resamples = np.random.default_rng(3), 60
    raters, images = dice.integers(0, 4, 40).tolist(), dice.integers(0, 5, 40).tolist()
    values, first = dice.normal(size=40), dice.random(40) < 0.5
    found = mean_rating(values, raters, images, resamples=resamples, seed=seed)
    gain = difference_of_ratings(values, first, raters, images, resamples=resamples, seed=seed)
    order = {kind: list(dict.fromkeys(names)) for kind, names in (("raters", raters), ("images", images))}
    generator, means, gains = np.random.default_rng(seed), [], []
    drawn = {
        kind: generator.multinomial(len(names), [1 / len(names)] * len(names), size=resamples)
        for kind, names in order.items()
    }
    for sample in range(resamples):
        sums = {True: [0.0, 0.0], False: [0.0, 0.0]}
        for value, is_first, rater, image in zip(values, first, raters, images, strict=True):
            times = drawn["raters"][sample][order["raters"].index(rater)]
            times *= drawn["images"][sample][order["images"].index(image)]
            sums[bool(is_first)][0] += times * value
            sums[bool(is_first)][1] += times
        (one, of_one), (other, of_other) = sums[True], sums[False]
        if of_one + of_other:
            means.append((one + other) / (of_one + of_other))
        if of_one and of_other:
            gains.append(one / of_one - other / of_other)
    for figure, value, samples in (
        (found, values.mean(), means),
        (gain, values[first].mean() - values[~first].mean(), gains),
    ):
        assert figure.value == pytest.approx(value)
        assert (figure.low, figure.high) == pytest.approx(tuple(np.quantile(samples, [0.025, 0.975])))
        assert figure.images == 5


def test_intervals_hold_the_truth_where_raters_and_images_differ():
    """The mean of a crossed design with effects of raters and images: a plain interval over ratings is too narrow."""
    dice, held, plain = np.random.default_rng(5), 0, 0
    raters, images = np.repeat(np.arange(12), 15), np.tile(np.arange(15), 12)
    for _ in range(120):
        values = dice.normal(size=12)[raters] + dice.normal(size=15)[images] + dice.normal(size=180)
        found = mean_rating(values, raters.tolist(), images.tolist(), resamples=300)
        held += found.low <= 0 <= found.high
        plain += abs(values.mean()) <= 1.96 * values.std() / np.sqrt(180)
    assert held >= 0.9 * 120
    assert plain < 0.7 * 120


def test_no_rating_is_no_figure():
    assert np.isnan(mean_rating([], [], []).value)
    assert np.isnan(difference_of_ratings([1.0], [True], ["ann"], ["i"]).value)


def played(study, answer, *, raters=9):
    """All ratings of raters who answer by a rule."""
    with Ratings(study, "played") as ratings:
        for _ in range(raters):
            rate_all(ratings, answer)
        return ratings.all()


def test_who_knows_is_always_right(tmp_path):
    study = small_study(tmp_path / "d")
    results = StudyResults(study, played(study, lambda asked: right_answer(study, asked)), "played")
    assert {name: (figure.value, figure.low, figure.high) for name, figure in results.figures.items()} == dict.fromkeys(
        METHODS, (100, 100, 100)
    )
    trust = small_study(tmp_path / "t", "trust")
    reliable = StudyResults(trust, played(trust, lambda asked: right_answer(trust, asked)), "played")
    assert {figure.value for figure in reliable.figures.values()} == {2.0}
    report = table([results, reliable])
    assert report.title.startswith(PLAYED)
    assert list(report.columns) == ["method", "accuracy", "reliability"]
    assert [row["method"] for row in report.rows] == ["Guided Backpropagation", "Guided Grad-CAM"]
    assert any("Grad-CAM adds 0 (0 to 0) points of accuracy to Guided Backpropagation" in note for note in report.notes)


def test_who_always_takes_the_left_one_is_at_chance(tmp_path):
    study = small_study(tmp_path / "d", images=10, ratings=8)
    results = StudyResults(study, played(study, lambda _: 0, raters=8), "played")
    assert [figure.value for figure in results.figures.values()] == [50, 50]  # four of eight on either side
    trust = small_study(tmp_path / "t", "trust", images=10, ratings=8)
    rated = StudyResults(trust, played(trust, lambda _: 2, raters=8), "played")
    assert [figure.value for figure in rated.figures.values()] == [0, 0]


def test_who_guesses_is_at_chance_within_the_intervals(tmp_path, monkeypatch):
    with monkeypatch.context() as fixed:  # a secret of its own puts one study in fifty outside its 95 % intervals
        fixed.setattr("secrets.token_bytes", bytes)
        study, dice = small_study(tmp_path / "d", images=5), np.random.default_rng(4)
    results = StudyResults(study, played(study, lambda _: int(dice.integers(2))), "played")
    assert all(figure.low < 50 < figure.high for figure in results.figures.values())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["discrimination", "trust"]), st.integers(0, 1), st.booleans(), st.data())
def test_a_score_is_what_the_rater_meant(kind, position, swapped, data):
    """From what is on the rater's screen to the figure, the long way round."""
    shown = data.draw(st.sampled_from(answers_of(kind)))
    answer = turned(kind, shown) if swapped else shown
    counted = score(kind, Solution("i", "m", "cat", position), answer)
    on_screen = [1, 0] if swapped else [0, 1]
    if kind == "discrimination":
        assert counted == (on_screen[shown] == position)
    else:
        winner = None if shown == 0 else on_screen[0 if shown > 0 else 1]
        assert np.sign(counted) == (0 if winner is None else 1 if winner == position else -1)
        assert abs(counted) == abs(shown)
        assert ("more" in SCALE[shown], "less" in SCALE[shown]) == (shown > 0, shown < 0)


def test_a_table_refuses_what_does_not_belong_together(tmp_path):
    first, second = small_study(tmp_path / "a"), small_study(tmp_path / "b", seed=1)
    rating = [Rating("ann", next(iter(first.questions)), 0)]
    other = [Rating("ann", next(iter(second.questions)), 0)]
    with pytest.raises(StudyError, match="one study of each kind"):
        table([StudyResults(first, rating, "people"), StudyResults(second, other, "people")])
    trust = small_study(tmp_path / "t", "trust")
    with pytest.raises(StudyError, match="never in one table"):
        table(
            [
                StudyResults(first, rating, "people"),
                StudyResults(trust, [Rating("ann", next(iter(trust.questions)), 0)], "played"),
            ]
        )
    with pytest.raises(StudyError, match="no ratings yet"):
        StudyResults(first, [], "people")
    report = table([StudyResults(first, rating, "people")])
    assert PLAYED not in report.title
    assert "1 of 108 ratings, so not finished" in report.notes[0]


# CSV


@pytest.mark.parametrize("kind", ["discrimination", "trust"])
def test_questions_for_another_platform_say_nothing_and_come_in_both_orders(tmp_path, kind):
    study = small_study(tmp_path / "s", kind, visualisations=(*METHODS, SENTENCE))
    rows = list(csv.DictReader(io.StringIO((study.folder / "public/questions.csv").read_text())))
    assert len(rows) == 2 * len(study.questions)
    by_question = {}
    for row in rows:
        by_question.setdefault(row["item"][:-2], []).append(row)
    assert set(by_question) == set(study.questions)
    for first, second in by_question.values():
        assert sorted((int(first["ratings"]), int(second["ratings"]))) == [4, 5]
        if kind == "discrimination":
            assert (first["option_1"], first["option_2"]) == (second["option_2"], second["option_1"])
        else:
            assert (first["picture_a"], first["text_a"]) == (second["picture_b"], second["text_b"])
    assert abs(sum(int(row["ratings"]) * (-1) ** int(row["item"][-1]) for row in rows)) <= 1
    public = "".join(path.read_text() for path in (study.folder / "public").glob("questions.*"))
    assert not any(method in public for method in (*METHODS, "image 0", "strong", "weak"))
    pictures = {name for row in rows for key, name in row.items() if key.startswith("picture") and name}
    assert pictures == {path.name for path in (study.folder / "public/pictures").iterdir()}


@pytest.mark.parametrize("kind", ["discrimination", "trust"])
def test_ratings_come_back_from_csv(tmp_path, kind):
    study, dice = small_study(tmp_path / "s", kind), np.random.default_rng(2)
    ratings = [
        Rating(rater, question, int(dice.choice(answers_of(kind))))
        for rater in ("ann", "=bob")
        for question in study.questions
    ]
    file = tmp_path / "ratings.csv"
    file.write_bytes(ratings_csv(study, ratings, "people"))
    back, raters = read_ratings(study, file)
    assert raters == "people"
    assert [(rating.question, rating.answer) for rating in back] == [
        (rating.question, rating.answer) for rating in ratings
    ]
    assert {rating.rater for rating in back} == {"ann", "'=bob"}  # a formula is none any more


def test_an_item_in_the_other_order_is_read_as_the_rater_saw_it(tmp_path):
    for kind, given_answer, expected in (("discrimination", "2", 0), ("trust", "-1", 1)):
        study = small_study(tmp_path / kind, kind)
        item = f"{next(iter(study.questions))}-2"
        file = tmp_path / f"{kind}.csv"
        file.write_text(f"rater,item,answer,played\nann,{item},{given_answer},yes\n")
        ((rating,), raters) = read_ratings(study, file)
        assert (rating.answer, raters) == (expected, "played")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",{0}-1,1,no", "line 2: no rater is named"),
        ("ann,{0}-3,1,no", "has no item"),
        ("ann,nonsense-1,1,no", "has no item 'nonsense-1'"),
        ("ann,{0}-1,3,no", "the answer is '3'; choose one of 1, 2"),
        ("ann,{0}-1,,no", "the answer is ''"),
        ("ann,{0}-1,1,perhaps", "played is 'perhaps'"),
        ("ann,{0}-1,1", "played is ''"),
        ("ann,{0}-1,1,no\nann,{0}-2,1,no", "line 3: 'ann' has rated that question before"),
        ("ann,{0}-1,1,no\nbob,{0}-1,1,yes", "mixes people and played raters"),
        ('ann,"{0}-1,1,no', "cannot be read as CSV"),
    ],
)
def test_ratings_that_cannot_be_right_are_refused(tmp_path, line, reason):
    study = small_study(tmp_path / "s")
    file = tmp_path / "ratings.csv"
    file.write_text(f"rater,item,answer,played\n{line.format(next(iter(study.questions)))}\n")
    with pytest.raises(StudyError, match=reason):
        read_ratings(study, file)


def test_a_table_without_the_columns_is_refused(tmp_path):
    study = small_study(tmp_path / "s")
    (tmp_path / "other.csv").write_text("worker,answer\nann,1\n")
    with pytest.raises(StudyError, match="has no column rater, item, played"):
        read_ratings(study, tmp_path / "other.csv")
    with pytest.raises(StudyError, match="cannot be read"):
        read_ratings(study, tmp_path / "none.csv")


def test_labels_that_are_formulas_are_none_in_csv():
    from neuronexplain.studies.human.questions import Question, Stimulus  # noqa: PLC0415

    question = Question("0" * 20, ("=1+1", "dog"), (Stimulus(text="@x"),))
    rows = list(csv.DictReader(io.StringIO(questions_csv("discrimination", [question], 9).decode())))
    assert {rows[0]["option_1"], rows[0]["text"]} == {"'=1+1", "'@x"}


# Folders


def test_a_folder_belongs_to_one_study(tmp_path):
    secret = claim(tmp_path / "s", {"seed": 1})
    assert claim(tmp_path / "s", {"seed": 1}) == secret
    assert claim(tmp_path / "other", {"seed": 1}) != secret
    with pytest.raises(CheckpointError, match="another seed"):
        claim(tmp_path / "s", {"seed": 2})
    with pytest.raises(StudyError, match="not finished"):
        open_study(tmp_path / "s")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match="holds something that is not a study"):
        claim(tmp_path / "photos", {"seed": 1})
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["mine.jpg"]
    with pytest.raises(StudyError, match="holds no study"):
        open_study(tmp_path / "photos")
    (tmp_path / "s" / "study.json").write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        claim(tmp_path / "s", {"seed": 1})


def test_a_study_that_was_changed_is_refused(tmp_path):
    study = small_study(tmp_path / "s")
    for name in ("answers.json", "public/questions.json"):
        file = study.folder / name
        before = file.read_text()
        for change in (("cat", "cow"), ('"position": 0', '"position": 1'), ('"format": 1', '"format": 2'), ("{", "")):
            if change[0] in before:
                file.write_text(before.replace(*change, 1))
                with pytest.raises(StudyError):
                    open_study(study.folder)
        file.write_text(before)
    assert open_study(study.folder) == study
    require_pictures(study)
    picture = next((study.folder / "public/pictures").iterdir())
    picture.write_bytes(b"another")
    with pytest.raises(StudyError, match=picture.name):
        require_pictures(study)


def test_pictures_are_looked_up_not_joined(tmp_path):
    study = small_study(tmp_path / "s")
    assert study.picture("../../answers.json") is None
    assert study.picture("questions.json") is None
    name = next((study.folder / "public/pictures").iterdir()).name
    assert study.picture(name).is_file()


def test_names_in_public_tell_nothing(tmp_path):
    """Two studies of the same seed and images share no name; sorted by name, answers are in no order."""
    one, other = small_study(tmp_path / "a", images=30), small_study(tmp_path / "b", images=30)
    assert not set(one.questions) & set(other.questions)
    positions = [one.solutions[question].position for question in one.questions]
    assert 1 < sum(first != second for first, second in pairwise(positions)) < len(positions) - 2
    assert list(one.questions) == sorted(one.questions)
    assert (
        json.loads(Path(one.folder / "study.json").read_text())["secret"]
        not in (one.folder / "public/questions.json").read_text()
    )
