"""A cell's runs as they stand in Optuna's store, for those who watch it; nothing is ever decided by what stands there.

Each run is a row in memory first. What the store lacks of the rows, because it was away or is new, is written from
them, so it may be lost, damaged or behind at any time.
"""

from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

LABEL = "run"
"""The attribute that names a trial's run."""


@dataclass
class Row:
    """A run as a trial of Optuna's."""

    attributes: dict[str, Any]
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    curve: dict[int, float] = field(default_factory=dict)
    """Validation IoU by epoch."""
    state: TrialState = TrialState.RUNNING
    value: float | None = None
    id: int = -1
    """What the store calls it."""

    def is_told_by(self, trial: FrozenTrial) -> bool:
        """Whether a trial in the store says the same, or its beginning."""
        if trial.state == TrialState.RUNNING:
            return bool(trial.params == self.params)
        mine = (self.params, self.state, self.value, self.curve)
        return mine == (trial.params, trial.state, trial.value, trial.intermediate_values)

    def as_trial(self) -> FrozenTrial:
        """The row as Optuna enters it."""
        return create_trial(
            state=self.state,
            value=self.value,
            params=self.params,
            distributions=self.distributions,
            user_attrs=self.attributes,
            intermediate_values=self.curve,
        )


class Shelf:
    """The rows of one cell, and its study in the store, found by its name."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name, self._attributes = name, attributes
        self.rows: list[Row] = []
        self._study = -1

    def insert(self, storage: BaseStorage, row: Row) -> None:
        """Write a whole row."""
        row.id = storage.create_new_trial(self._study, row.as_trial())

    def settle(self, storage: BaseStorage) -> None:
        """Make the store say what the rows say; what it says rightly already is left as it is."""
        stored = self._stored(storage)
        latest = {trial.user_attrs.get(LABEL): trial for trial in stored}
        pairs = [(row, latest.get(row.attributes[LABEL])) for row in self.rows]
        told = {trial.number: row for row, trial in pairs if trial is not None and row.is_told_by(trial)}
        if any(t.number not in told for t in stored if t.state in (TrialState.COMPLETE, TrialState.PRUNED)):
            storage.delete_study(self._study)  # what ended cannot be taken back one by one
            stored, told = self._stored(storage), {}
        for trial in stored:
            if trial.state == TrialState.RUNNING:
                self._go_on(storage, trial, told.get(trial.number))
        known = {id(row) for row in told.values()}
        for row in self.rows:
            if id(row) not in known:
                self.insert(storage, row)

    def _stored(self, storage: BaseStorage) -> list[FrozenTrial]:
        try:
            self._study = storage.get_study_id_from_name(self.name)
        except KeyError:
            self._study = storage.create_new_study([StudyDirection.MAXIMIZE], self.name)
            for key, value in self._attributes.items():
                storage.set_study_user_attr(self._study, key, value)
        return list(storage.get_all_trials(self._study, deepcopy=False))

    def _go_on(self, storage: BaseStorage, trial: FrozenTrial, row: Row | None) -> None:
        """Bring a trial that stands as running up to its row; without one, it is not running any more."""
        number = storage.get_trial_id_from_study_id_trial_number(self._study, trial.number)
        if row is None:
            storage.set_trial_state_values(number, TrialState.FAIL)
            return
        row.id = number
        for epoch in row.curve.keys() - trial.intermediate_values.keys():
            storage.set_trial_intermediate_value(number, epoch, row.curve[epoch])
        write_end(storage, row)


def write_end(storage: BaseStorage, row: Row) -> None:
    """Close a row's trial, unless it is at work."""
    if row.state != TrialState.RUNNING:
        storage.set_trial_state_values(row.id, row.state, None if row.value is None else [row.value])
