"""Small studies with known answers, made without a network, and raters who know them."""

from io import BytesIO

from PIL import Image

from dissection.files.written_files import checksum
from neuronexplain.studies.human.folder import claim, secret_name, write_study
from neuronexplain.studies.human.questions import SENTENCE, Question, Solution, Stimulus
from neuronexplain.studies.human.study import PICTURES

METHODS = ("guided-backprop", "guided-grad-cam")
LABELS = ("cat", "dog")


def small_study(folder, kind="discrimination", *, images=3, ratings=9, per_rater=75, seed=0, visualisations=METHODS):
    """A study of some images: of each, both categories are explained, or the explanations of two networks shown."""
    names = {"discrimination": ["net"], "trust": ["strong", "weak"]}[kind]
    heading = {
        "study": kind,
        "images": images,
        "ratings": ratings,
        "per rater": per_rater,
        "seed": seed,
        "data name": "squares",
        "visualisations": list(visualisations),
        "networks": [{"name": name} for name in names],
    }
    secret = claim(folder, heading)
    pairs, checksums = [], {}

    def stimulus(*key):
        if SENTENCE in key:
            return Stimulus(text=f"Its neurons for {secret_name(secret, 'words', *key)} respond.")
        picture = f"{secret_name(secret, *key)}.png"
        encoded = BytesIO()
        Image.new("RGB", (24, 24), (len(checksums), 99, 99)).save(encoded, "PNG")
        (folder / PICTURES / picture).write_bytes(encoded.getvalue())
        checksums[f"{PICTURES}/{picture}"] = checksum(encoded.getvalue())
        return Stimulus(picture)

    for image in range(images):
        for visualisation in visualisations:
            explained = LABELS if kind == "discrimination" else LABELS[:1]
            for number, label in enumerate(explained):
                key = (f"image {image}", visualisation, label)
                position = number if kind == "discrimination" else image % 2
                stimuli = tuple(stimulus(*key, network) for network in range(len(names)))
                labels = LABELS if kind == "discrimination" else (label,)
                question = Question(secret_name(secret, "question", *key), labels, stimuli)
                pairs.append((question, Solution(*key, position)))
    return write_study(folder, heading, pairs, checksums)


def right_answer(study, asked):
    """The answer, as it is shown, of a rater who knows: the explained category, or the first network by far."""
    at = study.solutions[asked.question].position
    shown_at = 1 - at if asked.swapped else at
    if study.kind == "discrimination":
        return shown_at
    return 2 if shown_at == 0 else -2


def rate_all(ratings, answer):
    """A rater consents and answers every question by a rule, which sees what is asked."""
    token = ratings.consent()
    while (asked := ratings.ask(token)) is not None:
        assert ratings.answer(token, asked.deal, answer(asked)) == "kept"
