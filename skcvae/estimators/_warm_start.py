"""What a warm start keeps of the last fit, and must have in common with it."""

from skcvae.documented import described


def structure(estimator):
    """Return the parameters that networks and codings follow from, as texts by name."""
    texts = {}
    for name in ("architecture", "likelihood", "prior", *estimator._roles.values()):
        value = getattr(estimator, name)
        is_plain = value is None or isinstance(value, str | bool | int)
        texts[name] = repr(value) if is_plain else described(value)
    return texts


def continued(estimator, objective):
    """Return the specification of the last fit; an objective may do without recognition."""
    check_unchanged(estimator.structure_, structure(estimator))
    check_recognition(estimator.specification_, objective)
    changed = {"recognition": objective.uses_recognition, "annotations": estimator.annotations}
    return estimator.specification_._replace(**changed)


def check_unchanged(before, now):
    """Refuse a warm start with other networks or codings than those of the last fit."""
    for name, value in now.items():
        if before[name] != value:
            raise ValueError(
                f"warm_start=True continues a fit with {name}={before[name]}, got {name}={value}. "
                "Expected the same value, or warm_start=False."
            )


def check_recognition(specification, objective):
    """Refuse a warm start that needs a recognition network which was not trained."""
    if objective.uses_recognition and not specification.recognition:
        raise ValueError(
            f"warm_start=True cannot continue with objective={objective!r} from a fit that "
            "trained no recognition network: expected an objective without one, or "
            "warm_start=False."
        )
