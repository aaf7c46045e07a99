"""What an audit finds in the study of bias: how much each network's classes lean on the places.

The networks, scenes and names are those of ``neuronexplain evaluate bias --out DIR``, which is run first if need be.
Prints a row for each network, class and concept.

Usage: python scripts/audit_bias.py DIR
"""

from __future__ import annotations

import sys
from pathlib import Path

from dissection.concepts.layouts import open_concepts
from dissection.execution.settings import Execution
from neuronexplain.audit.effect.effect import audit_effect
from neuronexplain.audit.effect.named_network import NamedNetwork
from neuronexplain.audit.effect.photographs import audited_photographs
from neuronexplain.evaluation.tables import shown
from neuronexplain.studies.bias import Bias, study_bias, trained_network

_CONCEPTS = ("object/cow", "object/dog", "object/mountain", "object/sea", "object/sand")


def main() -> None:
    """Run the study, and audit its networks."""
    out, study, execution = Path(sys.argv[1]), Bias(), Execution()
    study_bias(study, out, execution=execution)
    test = open_concepts(out / "test")
    print("trained on | class | concept | neurons | beyond others | pixels | correlation | says")
    for name in study.stagings:
        named = NamedNetwork.from_store(trained_network(study, name, out, execution), str(out / "names.db"))
        for target, thing in enumerate(study.staging.things):
            photographs = audited_photographs(study.staging.things, target, (), test, thing=f"object/{thing}")
            for concept in _CONCEPTS:
                reliance = audit_effect(named, named.leaning(target, concept, test), photographs)
                neurons, pixels, correlation = reliance.ways
                figures = (neurons.figure, neurons.excess, pixels.figure, correlation.figure)
                says = ", ".join(way.lean for way in reliance.ways)
                print(" | ".join([name, thing, concept, *map(shown, figures), says]), flush=True)


if __name__ == "__main__":
    main()
