"""What ``nestbench predict`` did: in words for people, as plain data for programs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nestbench.model import AnyNetwork
    from nestbench.model.files import Use
    from nestbench.predict.batch import Done


def facts(model: "AnyNetwork", about: "Use", window: int | None) -> dict[str, Any]:
    """How images were taken, as JSON data; no window for a Mask R-CNN, which sees them whole."""
    from nestbench.model import Detector
    from nestbench.predict.masks import WINDOW

    return {
        "size": about.size,
        "spacing": about.spacing,
        "patch": about.patch,
        "window": None if isinstance(model, Detector) else window or about.patch or WINDOW[model.spec.dims],
        "values": about.window,
        "percentiles": None if about.window else about.percentiles,
        "classes": list(about.classes),
        "marks": list(about.marks),
    }


def in_words(about: "Use", window: int | None) -> str:
    """How images were taken."""
    said = []
    if about.spacing is not None:
        steps = about.spacing if isinstance(about.spacing, tuple) else (about.spacing,)
        said.append(f"resampled to {' x '.join(f'{step:g}' for step in steps)} mm")
    if about.size is not None:
        said.append(f"resized to {about.size} pixels a side")
    said = said or ["as they are"]
    if side := window or about.patch:
        said.append(f"in windows of {side} pixels a side")
    if about.window is not None:
        said.append("values from {:g} to {:g}".format(*about.window))
    return ", ".join(said)


def as_data(one: "Done") -> dict[str, Any]:
    """What became of an image, as JSON data."""
    image: dict[str, Any] = {"image": str(one.task.source)}
    if one.task.others:
        image["others"] = [str(path) for path in one.task.others]
    if one.reason:
        return image | {"error": one.reason}
    probabilities = one.task.probabilities
    return (
        image
        | {
            "mask": str(one.task.mask),
            "probabilities": None if probabilities is None else str(probabilities),
            "pixels": list(one.pixels),
        }
        | ({} if one.objects is None else {"objects": one.objects})
    )
