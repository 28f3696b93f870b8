"""Running a study: what is done already, what comes next, what is tried again; no layer of a network is known here."""
