"""One run as a stateless function of a job, and the processes of this machine that do it."""
