"""`python -m benchmarks.licences`: the licence of every installed distribution, as it says."""

from importlib.metadata import Distribution, distributions

CLASSIFIER = "License :: "


def licence_of(found: Distribution) -> str:
    """What a distribution says: an SPDX expression, else its classifiers, else its free text."""
    stated = found.metadata.get_all("Classifier") or []
    classified = [one.rpartition(" :: ")[2] for one in stated if one.startswith(CLASSIFIER)]
    text = (found.metadata["License"] or "").strip()
    first = text.splitlines()[0] if text else ""
    expression = found.metadata["License-Expression"]
    return expression or ", ".join(classified) or first[:60] or "not stated"


def main() -> None:
    """Print a line each, by name."""
    named = {found.metadata["Name"]: found for found in distributions() if found.metadata["Name"]}
    for name in sorted(named, key=str.lower):
        print(f"{name:<32}{named[name].version:<16}{licence_of(named[name])}")


if __name__ == "__main__":
    main()
