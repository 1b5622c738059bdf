"""What a warm start must have in common with the fit before."""


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
