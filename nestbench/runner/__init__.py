"""Running a study: what is done already, Optuna's search, worker processes; no layer of a network is known here."""
